export type UnitCategory = 'count' | 'weight' | 'length' | 'area' | 'volume' | 'time'

export interface UnitOfMeasure {
  readonly code: string
  readonly name: string
  readonly category: UnitCategory
  /** How many base units of its category one of it is: an exact decimal, without rounding. */
  readonly factor: string
  readonly isBase: boolean
}

/**
 * The units a new company starts with. Inch, pound and gallon are defined by law as exact decimals of the metric
 * units (international yard and pound, 1959), and time counts in seconds because a minute is no decimal of an hour.
 */
export const unitsOfMeasure: readonly UnitOfMeasure[] = [
  { code: 'PCS', name: 'Piece', category: 'count', factor: '1', isBase: true },
  { code: 'PR', name: 'Pair', category: 'count', factor: '2', isBase: false },
  { code: 'DZ', name: 'Dozen', category: 'count', factor: '12', isBase: false },
  { code: 'GRO', name: 'Gross', category: 'count', factor: '144', isBase: false },

  { code: 'KG', name: 'Kilogram', category: 'weight', factor: '1', isBase: true },
  { code: 'G', name: 'Gram', category: 'weight', factor: '0.001', isBase: false },
  { code: 'MG', name: 'Milligram', category: 'weight', factor: '0.000001', isBase: false },
  { code: 'T', name: 'Tonne', category: 'weight', factor: '1000', isBase: false },
  { code: 'LB', name: 'Pound', category: 'weight', factor: '0.45359237', isBase: false },
  { code: 'OZ', name: 'Ounce', category: 'weight', factor: '0.028349523125', isBase: false },

  { code: 'M', name: 'Metre', category: 'length', factor: '1', isBase: true },
  { code: 'MM', name: 'Millimetre', category: 'length', factor: '0.001', isBase: false },
  { code: 'CM', name: 'Centimetre', category: 'length', factor: '0.01', isBase: false },
  { code: 'KM', name: 'Kilometre', category: 'length', factor: '1000', isBase: false },
  { code: 'IN', name: 'Inch', category: 'length', factor: '0.0254', isBase: false },
  { code: 'FT', name: 'Foot', category: 'length', factor: '0.3048', isBase: false },
  { code: 'YD', name: 'Yard', category: 'length', factor: '0.9144', isBase: false },
  { code: 'MI', name: 'Mile', category: 'length', factor: '1609.344', isBase: false },

  { code: 'M2', name: 'Square metre', category: 'area', factor: '1', isBase: true },
  { code: 'CM2', name: 'Square centimetre', category: 'area', factor: '0.0001', isBase: false },
  { code: 'HA', name: 'Hectare', category: 'area', factor: '10000', isBase: false },
  { code: 'KM2', name: 'Square kilometre', category: 'area', factor: '1000000', isBase: false },
  { code: 'IN2', name: 'Square inch', category: 'area', factor: '0.00064516', isBase: false },
  { code: 'FT2', name: 'Square foot', category: 'area', factor: '0.09290304', isBase: false },
  { code: 'YD2', name: 'Square yard', category: 'area', factor: '0.83612736', isBase: false },
  { code: 'AC', name: 'Acre', category: 'area', factor: '4046.8564224', isBase: false },

  { code: 'L', name: 'Litre', category: 'volume', factor: '1', isBase: true },
  { code: 'ML', name: 'Millilitre', category: 'volume', factor: '0.001', isBase: false },
  { code: 'M3', name: 'Cubic metre', category: 'volume', factor: '1000', isBase: false },
  { code: 'FLOZ', name: 'US fluid ounce', category: 'volume', factor: '0.0295735295625', isBase: false },
  { code: 'GAL', name: 'US gallon', category: 'volume', factor: '3.785411784', isBase: false },
  { code: 'GALUK', name: 'Imperial gallon', category: 'volume', factor: '4.54609', isBase: false },

  { code: 'SEC', name: 'Second', category: 'time', factor: '1', isBase: true },
  { code: 'MIN', name: 'Minute', category: 'time', factor: '60', isBase: false },
  { code: 'HR', name: 'Hour', category: 'time', factor: '3600', isBase: false },
  { code: 'DAY', name: 'Day', category: 'time', factor: '86400', isBase: false },
  { code: 'WK', name: 'Week', category: 'time', factor: '604800', isBase: false },
]
