/** IFRS style: the classes of IAS 1, expenses by function with the import and exchange accounts set out. */
export const genericChart = {
  code: 'generic',
  name: 'International (IFRS)',
  description: 'General trading and service company reporting under IFRS',
  outline: `
1000 Assets | asset
  1100 Cash and cash equivalents
    1110 Petty cash | bank
    1120 Bank current account | bank
    1140 Foreign currency bank account | bank
    1150 Payment provider balances | bank
    1190 Imports clearing
  1200 Trade and other receivables
    1210 Trade receivables | receivable
    1215 Allowance for expected credit losses
    1220 Other receivables
    1230 Employee advances
    1240 Advances to suppliers
    1250 Prepaid expenses
    1270 Input tax recoverable | tax
  1300 Inventories
    1310 Merchandise | inventory
    1330 Work in progress | inventory
    1340 Finished goods | inventory
    1350 Goods in transit | inventory
    1360 Allowance for inventory write-down
  1400 Property, plant and equipment
    1420 Land and buildings
    1425 Accumulated depreciation: land and buildings
    1430 Plant, machinery and vehicles
    1435 Accumulated depreciation: plant, machinery and vehicles
    1450 Office equipment and computers
    1455 Accumulated depreciation: office equipment and computers
    1460 Right-of-use assets
    1465 Accumulated depreciation: right-of-use assets
  1500 Intangible and other non-current assets
    1510 Goodwill
    1520 Software and licences
    1525 Accumulated amortisation: software and licences
    1550 Deferred tax assets
2000 Liabilities | liability
  2100 Trade and other payables
    2110 Trade payables | payable
    2120 Goods received not invoiced
    2130 Accrued expenses
    2140 Contract liabilities: customer advances
    2150 Contract liabilities: deferred revenue
    2160 Gift vouchers outstanding
    2170 Wages and salaries payable
    2180 Payroll taxes and social security payable
  2200 Tax liabilities
    2210 Output tax payable | tax
    2220 Withholding tax payable | tax
    2240 Current income tax payable
  2300 Borrowings and lease liabilities
    2310 Company credit cards | bank
    2330 Bank loans
    2340 Lease liabilities
  2400 Provisions and other non-current liabilities
    2410 Provisions
    2430 Deferred tax liabilities
3000 Equity | equity
  3100 Share capital and premium
  3300 Reserves
  3400 Retained earnings
  3900 Opening balance equity
4000 Revenue | revenue
  4100 Revenue from contracts with customers
    4110 Product sales
    4120 Service revenue
    4130 Carriage and delivery income
    4140 Sundry and manual sales
    4180 Sales returns
    4190 Sales discounts given
  4200 Other income
    4210 Interest income
    4220 Purchase discounts received
    4230 Other income and disposal gains
    4240 Realised exchange gains
    4250 Unrealised exchange gains
5000 Cost of sales | expense
  5100 Cost of goods sold
  5300 Freight, duty and landed costs
  5400 Purchase price variance
  5500 Inventory adjustments
6000 Operating expenses | expense
  6100 Selling and distribution
    6110 Advertising and promotion
    6120 Marketplace and platform fees
    6130 Delivery and carriage out
    6150 Samples
    6160 Charity commission
  6200 Staff costs
    6210 Wages and salaries
    6220 Social security and pension contributions
  6300 Administration
    6310 Rent, rates and insurance
    6320 Utilities
    6340 Office supplies and repairs
    6350 Telephone and internet
    6370 Professional fees
    6390 Travel and entertainment
  6400 Depreciation and impairment
    6410 Depreciation
    6420 Amortisation
    6430 Bad debts and expected credit losses
  6900 Other operating expenses
    6910 Cash over and short
    6920 Rounding differences
7000 Finance costs and tax | expense
  7100 Bank charges
  7200 Interest expense
  7300 Realised exchange losses
  7400 Unrealised exchange losses
  7500 Income tax expense
`,
  roles: {
    importsClearing: '1190',
    productSales: '4110',
    carriageIncome: '4130',
    salesDiscount: '4190',
    platformFees: '6120',
    bankCharges: '7100',
    badDebt: '6430',
    manualSales: '4140',
    giftVouchers: '2160',
    samples: '6150',
    charityCommission: '6160',
    retainedEarnings: '3400',
    openingBalance: '3900',
    realisedExchangeGain: '4240',
    realisedExchangeLoss: '7300',
    unrealisedExchangeGain: '4250',
    unrealisedExchangeLoss: '7400',
    rounding: '6920',
  },
} as const
