/** US GAAP style, in the five-digit ranges usual there; sales tax is owed only on sales, so input tax is rare. */
export const usChart = {
  code: 'us',
  name: 'United States (US GAAP)',
  description: 'Small or mid-sized US corporation reporting under US GAAP',
  outline: `
10000 Assets | asset
  11000 Cash and cash equivalents
    11100 Petty cash | bank
    11200 Operating checking account | bank
    11400 Savings and money market account | bank
    11500 Merchant and payment processor balances | bank
    11600 Undeposited funds
    11900 Imports clearing
  12000 Receivables
    12100 Accounts receivable | receivable
    12190 Allowance for doubtful accounts
    12200 Employee advances
    12400 Sales tax recoverable | tax
  13000 Inventory
    13100 Merchandise inventory | inventory
    13300 Raw materials and work in process inventory | inventory
    13400 Finished goods inventory | inventory
    13500 Inventory in transit | inventory
    13900 Inventory reserve
  14000 Prepaid expenses
    14100 Prepaid insurance
    14300 Other prepaid expenses and vendor deposits
  15000 Property and equipment
    15100 Land and buildings
    15300 Leasehold improvements
    15400 Machinery, furniture and equipment
    15600 Computers and software
    15700 Vehicles
    15900 Accumulated depreciation
  16000 Other assets
    16100 Goodwill
    16200 Intangible assets, net of amortization
    16300 Operating lease right-of-use assets
    16400 Security deposits
20000 Liabilities | liability
  21000 Accounts payable and accruals
    21100 Accounts payable | payable
    21200 Received not vouchered
    21300 Accrued expenses
    21400 Customer deposits
    21500 Deferred revenue
    21600 Gift cards outstanding
    21700 Company credit cards | bank
  22000 Payroll liabilities
    22100 Accrued wages
    22200 Federal and state income tax withheld
    22300 Social Security and Medicare payable
    22500 Federal and state unemployment tax payable
    22600 401(k) contributions payable
  23000 Taxes payable
    23100 Sales tax payable | tax
    23300 Federal and state income tax payable
  24000 Debt and other liabilities
    24100 Line of credit
    24200 Current portion of long-term debt
    24300 Notes payable, long-term
    24400 Operating lease liabilities
30000 Stockholders' equity | equity
  31000 Common stock
  32000 Additional paid-in capital
  33000 Retained earnings
  34000 Dividends
  39000 Opening balance equity
40000 Revenue | revenue
  41000 Product sales
  42000 Service revenue
  43000 Shipping and handling income
  44000 Miscellaneous and manual sales
  45000 Sales returns and allowances
  46000 Sales discounts
50000 Cost of goods sold | expense
  51000 Cost of goods and services sold
  54000 Purchase price variance
  55000 Inventory adjustments and shrinkage
60000 Operating expenses | expense
  61000 Selling expenses
    61100 Advertising and marketing
    61200 Marketplace and platform fees
    61300 Shipping and delivery out
    61400 Sales commissions
    61500 Samples
    61600 Charity commission
    61700 Bad debt expense
  62000 Payroll expenses
    62100 Salaries and wages
    62200 Payroll taxes
    62300 Employee health insurance
    62400 401(k) employer match
  63000 General and administrative
    63100 Rent
    63200 Utilities
    63300 Telephone and internet
    63400 Office supplies
    63600 Legal and professional fees
    63700 Insurance
    63800 Travel and meals
    63900 Depreciation and amortization
  64000 Other operating expenses
    64100 Bank charges
    64300 Cash over and short
    64400 Rounding differences
70000 Other income | revenue
  71000 Interest and other income
  73000 Realized exchange gains
  74000 Unrealized exchange gains
80000 Other expense and taxes | expense
  81000 Interest and other expense
  83000 Realized exchange losses
  84000 Unrealized exchange losses
  85000 Income tax expense
`,
  roles: {
    importsClearing: '11900',
    productSales: '41000',
    carriageIncome: '43000',
    salesDiscount: '46000',
    platformFees: '61200',
    bankCharges: '64100',
    badDebt: '61700',
    manualSales: '44000',
    giftVouchers: '21600',
    samples: '61500',
    charityCommission: '61600',
    retainedEarnings: '33000',
    openingBalance: '39000',
    realisedExchangeGain: '73000',
    realisedExchangeLoss: '83000',
    unrealisedExchangeGain: '74000',
    unrealisedExchangeLoss: '84000',
    rounding: '64400',
  },
} as const
