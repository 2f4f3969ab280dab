/**
 * Exact decimals: value = units / 10^scale, units a BigInt. Money, quantities and rates are made of these and
 * never of floating point. Immutable. The scale is how the value was written or came about, not part of the
 * value: 1.5 and 1.50 are equal, and toString writes both "1.5".
 */
export class Decimal {
  static readonly zero = new Decimal(0n, 0)

  readonly units: bigint
  readonly scale: number

  /** Trusted: scale must be a non-negative integer. Text and numbers from outside go through parse or of. */
  constructor(units: bigint, scale: number) {
    this.units = units
    this.scale = scale
  }

  /**
   * Reads -?(0|[1-9]\d*)(\.\d+)? of at most 40 digits (all that are written, on both sides of the point);
   * anything else is null. One pass without a regular expression, and up to 15 digits are gathered in a
   * double, which holds them exactly: making one BigInt of that is far cheaper than parsing a BigInt.
   */
  static parse(text: string): Decimal | null {
    const length = text.length
    const negative = text.charCodeAt(0) === MINUS
    const start = negative ? 1 : 0
    let point = -1
    let gathered = 0
    for (let index = start; index < length; index++) {
      const character = text.charCodeAt(index)
      if (character >= ZERO && character <= NINE) gathered = gathered * 10 + (character - ZERO)
      else if (character === POINT && point < 0) point = index
      else return null
    }
    const wholeDigits = (point < 0 ? length : point) - start
    const scale = point < 0 ? 0 : length - point - 1
    if (wholeDigits === 0 || (point >= 0 && scale === 0)) return null
    if (wholeDigits > 1 && text.charCodeAt(start) === ZERO) return null
    const digits = wholeDigits + scale
    if (digits > MAXIMUM_DIGITS) return null
    if (digits <= DIGITS_EXACT_IN_DOUBLE) return new Decimal(BigInt(negative ? -gathered : gathered), scale)
    const units = BigInt(point < 0 ? text.slice(start) : text.slice(start, point) + text.slice(point + 1))
    return new Decimal(negative ? -units : units, scale)
  }

  /** For values the program itself vouches for: a RangeError here is a mistake in the code. */
  static of(value: string | bigint | number): Decimal {
    if (typeof value === 'number') {
      if (Number.isSafeInteger(value)) return new Decimal(BigInt(value), 0)
    } else if (typeof value === 'bigint') {
      if (value < FIRST_TOO_LARGE && value > -FIRST_TOO_LARGE) return new Decimal(value, 0)
    } else {
      const parsed = Decimal.parse(value)
      if (parsed) return parsed
    }
    throw new RangeError(`not an exact decimal: ${value}`)
  }

  static sum(values: Iterable<Decimal>): Decimal {
    let units = 0n
    let scale = 0
    for (const value of values) {
      if (value.scale === scale) units += value.units
      else if (value.scale < scale) units += value.units * powerOfTen(scale - value.scale)
      else {
        units = units * powerOfTen(value.scale - scale) + value.units
        scale = value.scale
      }
    }
    return new Decimal(units, scale)
  }

  plus(other: Decimal): Decimal {
    const difference = this.scale - other.scale
    if (difference === 0) return new Decimal(this.units + other.units, this.scale)
    if (difference > 0) return new Decimal(this.units + other.units * powerOfTen(difference), this.scale)
    return new Decimal(this.units * powerOfTen(-difference) + other.units, other.scale)
  }

  minus(other: Decimal): Decimal {
    const difference = this.scale - other.scale
    if (difference === 0) return new Decimal(this.units - other.units, this.scale)
    if (difference > 0) return new Decimal(this.units - other.units * powerOfTen(difference), this.scale)
    return new Decimal(this.units * powerOfTen(-difference) - other.units, other.scale)
  }

  times(other: Decimal): Decimal {
    return new Decimal(this.units * other.units, this.scale + other.scale)
  }

  /** Rounded half away from zero to `scale` places. */
  dividedBy(other: Decimal, scale: number): Decimal {
    if (other.units === 0n) throw new RangeError('division by zero')
    requireScale(scale)
    const shift = scale + other.scale - this.scale
    return shift >= 0
      ? new Decimal(divideHalfUp(this.units * powerOfTen(shift), other.units), scale)
      : new Decimal(divideHalfUp(this.units, other.units * powerOfTen(-shift)), scale)
  }

  /** Commercial rounding: half goes away from zero, so that a credit note mirrors its invoice. */
  rounded(scale: number): Decimal {
    requireScale(scale)
    if (scale >= this.scale) return this
    return new Decimal(divideHalfUp(this.units, powerOfTen(this.scale - scale)), scale)
  }

  negated(): Decimal {
    return new Decimal(-this.units, this.scale)
  }

  absolute(): Decimal {
    return this.units < 0n ? this.negated() : this
  }

  compare(other: Decimal): -1 | 0 | 1 {
    let left = this.units
    let right = other.units
    const difference = this.scale - other.scale
    if (difference > 0) right *= powerOfTen(difference)
    else if (difference < 0) left *= powerOfTen(-difference)
    return left < right ? -1 : left > right ? 1 : 0
  }

  equals(other: Decimal): boolean {
    return this.compare(other) === 0
  }

  isZero(): boolean {
    return this.units === 0n
  }

  isNegative(): boolean {
    return this.units < 0n
  }

  isPositive(): boolean {
    return this.units > 0n
  }

  /** Places that matter: 1.50 has one, 100 has none. */
  decimalPlaces(): number {
    if (this.scale === 0 || this.units === 0n) return 0
    const digits = this.units.toString()
    let places = this.scale
    let index = digits.length - 1
    while (places > 0 && digits.charCodeAt(index--) === ZERO) places--
    return places
  }

  /** Digits before the point as they are, without rounding: 999.99 has three, 0.5 has one. */
  wholeDigits(): number {
    const whole = this.absolute().units / powerOfTen(this.scale)
    return whole.toString().length
  }

  /** Canonical: no trailing zeros after the point, so equal values give equal text. */
  toString(): string {
    if (this.units === 0n) return '0'
    const text = withPoint(this.units, this.scale)
    if (this.scale === 0) return text
    let end = text.length
    while (text.charCodeAt(end - 1) === ZERO) end--
    if (text.charCodeAt(end - 1) === POINT) end--
    return end === text.length ? text : text.slice(0, end)
  }

  toFixed(scale: number): string {
    const value = this.rounded(scale)
    const units = value.scale === scale ? value.units : value.units * powerOfTen(scale - value.scale)
    return withPoint(units, scale)
  }

  toJSON(): string {
    return this.toString()
  }
}

const MINUS = 45
const POINT = 46
const ZERO = 48
const NINE = 57
const MAXIMUM_DIGITS = 40
const DIGITS_EXACT_IN_DOUBLE = 15
const FIRST_TOO_LARGE = 10n ** BigInt(MAXIMUM_DIGITS)

// Products of two parsed values need at most 80; anything beyond is computed.
const powersOfTen: readonly bigint[] = Array.from({ length: 81 }, (_, exponent) => 10n ** BigInt(exponent))

function powerOfTen(exponent: number): bigint {
  return powersOfTen[exponent] ?? 10n ** BigInt(exponent)
}

function requireScale(scale: number): void {
  if (!Number.isInteger(scale) || scale < 0) throw new RangeError(`not a scale: ${scale}`)
}

function divideHalfUp(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  const remainder = numerator % denominator
  if (remainder === 0n) return quotient
  const twice = remainder < 0n ? -2n * remainder : 2n * remainder
  if (twice < (denominator < 0n ? -denominator : denominator)) return quotient
  // The quotient may have been truncated to zero and lost its sign: take it from the operands.
  return numerator < 0n === denominator < 0n ? quotient + 1n : quotient - 1n
}

function withPoint(units: bigint, scale: number): string {
  if (scale === 0) return units.toString()
  const negative = units < 0n
  const digits = (negative ? -units : units).toString().padStart(scale + 1, '0')
  const point = digits.length - scale
  return (negative ? '-' : '') + digits.slice(0, point) + '.' + digits.slice(point)
}
