/**
 * The nominal codes British bookkeepers know by heart: 0010 property, 1100 debtors control, 1200 bank, 2100 creditors
 * control, 2200 to 2202 VAT, 4000 sales, 5000 purchases, 7901 bank charges, 8100 bad debts. The customary scheme
 * has no headings; they are put on codes that open a range.
 */
export const ukChart = {
  code: 'uk',
  name: 'United Kingdom (FRS 102)',
  description: 'UK limited company with the customary nominal codes',
  outline: `
0001 Fixed assets | asset
  0010 Freehold and leasehold property
  0015 Property depreciation
  0020 Plant and machinery
  0021 Plant and machinery depreciation
  0030 Office equipment, furniture and computers
  0031 Office equipment, furniture and computers depreciation
  0050 Motor vehicles
  0051 Motor vehicles depreciation
  0060 Goodwill and intangible assets
  0061 Amortisation of goodwill and intangible assets
1000 Current assets | asset
  1001 Stock | inventory
  1002 Raw materials and work in progress | inventory
  1004 Finished goods | inventory
  1005 Goods in transit | inventory
  1006 Stock provision
  1100 Debtors control account | receivable
  1101 Sundry debtors
  1102 Provision for doubtful debts
  1103 Prepayments and accrued income
  1105 Supplier deposits paid
  1106 Staff loans and advances
  1190 Imports clearing
  1200 Bank current account | bank
  1210 Bank deposit account | bank
  1220 Foreign currency bank account | bank
  1230 Petty cash | bank
  1250 Payment provider balances | bank
2000 Creditors and provisions | liability
  2100 Creditors control account | payable
  2102 Goods received not invoiced
  2109 Accruals
  2110 Deferred income
  2111 Customer deposits received
  2112 Gift vouchers outstanding
  2120 Company credit cards | bank
  2200 Sales VAT control account (output) | tax
  2201 Purchase VAT control account (input) | tax
  2202 VAT liability
  2210 PAYE
  2211 National Insurance
  2220 Net wages
  2230 Workplace pension contributions
  2250 CIS tax deducted
  2302 Directors' loan accounts
  2310 Hire purchase and leases
  2320 Corporation tax
  2330 Bank loans
  2350 Provisions for liabilities
3000 Capital and reserves | equity
  3001 Ordinary share capital
  3100 Reserves
  3200 Profit and loss account (retained earnings)
  3300 Dividends paid
  3900 Opening balances suspense
4000 Sales | revenue
  4001 Product sales
  4002 Sales of services
  4009 Sales discounts given
  4010 Sales returns
  4020 Sundry and manual sales
  4900 Other income
    4901 Miscellaneous income
    4902 Profit on disposal of fixed assets
    4903 Bank interest received
    4905 Carriage and delivery income
    4906 Settlement discounts received
    4910 Realised exchange gains
    4911 Unrealised exchange gains
5000 Cost of sales | expense
  5001 Cost of goods sold
  5003 Subcontractors
  5100 Carriage inwards and import duty
  5200 Purchase price variance
  5201 Stock adjustments and write-offs
6000 Direct selling expenses | expense
  6110 Marketplace and platform fees
  6115 Charity commission
  6200 Advertising and promotion
  6202 Samples and gifts
  6210 Carriage outwards
7000 Overheads | expense
  7001 Directors' remuneration
  7003 Staff salaries
  7006 Employer's National Insurance and pension
  7100 Rent and insurance
  7103 Business rates
  7200 Light, heat and water
  7300 Motor, travel and subsistence
  7403 Entertainment
  7500 Printing, postage, stationery and telephone
  7503 Software subscriptions
  7600 Legal, audit and professional fees
  7700 Repairs and maintenance
  7900 Finance charges
    7901 Bank charges
    7902 Bank and loan interest paid
    7906 Realised exchange losses
    7907 Unrealised exchange losses
8000 Depreciation and sundry expenses | expense
  8001 Depreciation and amortisation
  8003 Loss on disposal of fixed assets
  8100 Bad debts written off
  8201 Cash over and short
  8202 Rounding differences
9000 Taxation | expense
  9001 Corporation tax charge
`,
  roles: {
    importsClearing: '1190',
    productSales: '4001',
    carriageIncome: '4905',
    salesDiscount: '4009',
    platformFees: '6110',
    bankCharges: '7901',
    badDebt: '8100',
    manualSales: '4020',
    giftVouchers: '2112',
    samples: '6202',
    charityCommission: '6115',
    retainedEarnings: '3200',
    openingBalance: '3900',
    realisedExchangeGain: '4910',
    realisedExchangeLoss: '7906',
    unrealisedExchangeGain: '4911',
    unrealisedExchangeLoss: '7907',
    rounding: '8202',
  },
} as const
