import { Decimal } from './decimal.ts'

/**
 * Splits a total in proportion to weights so that the parts sum to it exactly: every share is cut down to `scale`
 * places and the places left over go, one each, to the shares that lost most by it (ties: the earlier). No part is
 * further than one unit of the last place from its exact share.
 *
 * Weights may be negative (a return among the lines of an order) as long as their sum is not zero. Weights that
 * are all zero share equally. A RangeError is a mistake of the caller: a total with more places than `scale`, or
 * one that is not zero and has nothing to be split by.
 */
export function allocate(total: Decimal, weights: Decimal[], scale: number): Decimal[] {
  const exact = total.rounded(scale)
  if (!exact.equals(total)) throw new RangeError(`cannot allocate ${total} in parts of ${scale} places`)
  const totalUnits = unitsAt(exact, scale)
  if (totalUnits === 0n) return weights.map(() => new Decimal(0n, scale))

  const shares = wholeWeights(weights)
  const weightSum = shares.reduce((sum, share) => sum + share, 0n)
  if (weightSum === 0n) throw new RangeError(`cannot allocate ${total} by weights that sum to zero`)

  // Magnitudes are allocated and the signs put back, so that a credit note is split exactly as its invoice was.
  const magnitude = totalUnits < 0n ? -totalUnits : totalUnits
  const divisor = weightSum < 0n ? -weightSum : weightSum
  const sign = totalUnits < 0n ? -1n : 1n
  const parts: bigint[] = []
  const lost: { index: number; remainder: bigint }[] = []
  let left = magnitude
  for (const [index, share] of shares.entries()) {
    const product = magnitude * (weightSum < 0n ? -share : share)
    const part = floorDivide(product, divisor)
    parts.push(part)
    lost.push({ index, remainder: product - part * divisor })
    left -= part
  }
  lost.sort((a, b) => (a.remainder > b.remainder ? -1 : a.remainder < b.remainder ? 1 : a.index - b.index))
  for (const { index } of lost.slice(0, Number(left))) parts[index] = parts[index]! + 1n
  return parts.map((part) => new Decimal(part * sign, scale))
}

/** The weights as whole numbers of the same proportions. */
function wholeWeights(weights: Decimal[]): bigint[] {
  if (weights.every((weight) => weight.isZero())) return weights.map(() => 1n)
  const scale = weights.reduce((widest, weight) => Math.max(widest, weight.scale), 0)
  return weights.map((weight) => unitsAt(weight, scale))
}

function unitsAt(value: Decimal, scale: number): bigint {
  return value.units * 10n ** BigInt(scale - value.scale)
}

/** Downwards also below zero, so that remainders are never negative and units are only ever left over. */
function floorDivide(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  return numerator % denominator < 0n ? quotient - 1n : quotient
}
