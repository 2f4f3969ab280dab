/**
 * Egypt: the order of the Egyptian Accounting Standards with the taxes of the country: VAT at 14 %, tax withheld at
 * source (suffered on sales, deducted on purchases), stamp duty, payroll tax and social insurance.
 */
export const egChart = {
  code: 'eg',
  name: 'Egypt (EAS)',
  description: 'Egyptian company under Egyptian Accounting Standards, with Arabic account names',
  outline: `
1000 Assets | asset | الأصول
  1100 Non-current assets | none | الأصول غير المتداولة
    1110 Land and buildings | none | الأراضي والمباني
    1115 Accumulated depreciation: buildings | none | مجمع إهلاك المباني
    1130 Machinery and equipment | none | الآلات والمعدات
    1135 Accumulated depreciation: machinery and equipment | none | مجمع إهلاك الآلات والمعدات
    1140 Vehicles | none | وسائل النقل والانتقال
    1145 Accumulated depreciation: vehicles | none | مجمع إهلاك وسائل النقل والانتقال
    1150 Furniture and computers | none | الأثاث وأجهزة الحاسب الآلي
    1155 Accumulated depreciation: furniture and computers | none | مجمع إهلاك الأثاث وأجهزة الحاسب الآلي
    1160 Intangible assets | none | الأصول غير الملموسة
    1165 Accumulated amortisation: intangible assets | none | مجمع استهلاك الأصول غير الملموسة
    1180 Deposits with others | none | تأمينات لدى الغير
  1200 Inventories | none | المخزون
    1210 Goods for resale | inventory | مخزون بضائع بغرض البيع
    1230 Raw materials and work in process | inventory | خامات وإنتاج تحت التشغيل
    1240 Finished goods | inventory | مخزون إنتاج تام
    1250 Goods in transit | inventory | بضاعة بالطريق
    1270 Letters of credit | none | اعتمادات مستندية
  1300 Receivables | none | المدينون
    1310 Customers | receivable | العملاء
    1315 Expected credit losses provision | none | مخصص الخسائر الائتمانية المتوقعة
    1330 Advances to suppliers | none | دفعات مقدمة للموردين
    1340 Employee loans and custodies | none | سلف وعهد العاملين
    1350 Prepaid expenses | none | مصروفات مدفوعة مقدما
    1370 Other debit balances | none | أرصدة مدينة أخرى
  1400 Taxes receivable | none | الضرائب المدينة
    1410 Input VAT 14% | tax | ضريبة القيمة المضافة على المشتريات 14%
    1420 Withholding tax suffered | tax | ضريبة الخصم تحت حساب الضريبة (لدى الغير)
  1500 Cash and banks | none | النقدية والبنوك
    1510 Main cash box | bank | الخزينة الرئيسية
    1530 Bank current account, EGP | bank | البنك حساب جاري بالجنيه المصري
    1540 Bank current account, foreign currency | bank | البنك حساب جاري بالعملة الأجنبية
    1560 Payment gateways and wallets | bank | بوابات الدفع والمحافظ الإلكترونية
    1570 Cheques under collection | none | شيكات تحت التحصيل
    1590 Imports clearing | none | وسيط استيراد البيانات
2000 Liabilities | liability | الالتزامات
  2100 Payables | none | الدائنون
    2110 Suppliers | payable | الموردون
    2120 Goods received not invoiced | none | بضاعة مستلمة لم ترد فواتيرها
    2140 Customer advances | none | دفعات مقدمة من العملاء
    2150 Gift vouchers outstanding | none | قسائم هدايا قائمة
    2160 Accrued expenses | none | مصروفات مستحقة
    2180 Salaries payable | none | أجور ومرتبات مستحقة
    2190 Other credit balances | none | أرصدة دائنة أخرى
  2200 Taxes and social insurance | none | الضرائب والتأمينات الاجتماعية
    2210 Output VAT 14% | tax | ضريبة القيمة المضافة على المبيعات 14%
    2220 Withholding tax payable | tax | ضريبة الخصم والتحصيل المستحقة
    2240 Payroll tax payable | none | ضريبة كسب العمل المستحقة
    2250 Stamp duty payable | none | ضريبة الدمغة المستحقة
    2260 Social insurance payable | none | التأمينات الاجتماعية المستحقة
    2270 Income tax payable | none | ضريبة الدخل المستحقة
  2300 Borrowings | none | القروض
    2310 Bank loans and credit facilities | none | قروض وتسهيلات ائتمانية من البنوك
3000 Equity | equity | حقوق الملكية
  3100 Paid-up capital | none | رأس المال المدفوع
  3200 Legal and other reserves | none | الاحتياطي القانوني واحتياطيات أخرى
  3400 Retained earnings | none | الأرباح المرحلة
  3500 Dividends and partners' current account | none | توزيعات الأرباح وجاري الشركاء
  3900 Opening balance equity | none | وسيط الأرصدة الافتتاحية
4000 Revenue | revenue | الإيرادات
  4100 Sales | none | المبيعات
    4110 Product sales | none | مبيعات بضائع
    4120 Service revenue | none | إيرادات خدمات
    4130 Delivery income | none | إيرادات نقل وتوصيل
    4140 Sundry and manual sales | none | مبيعات متنوعة ويدوية
    4180 Sales returns | none | مردودات المبيعات
    4190 Sales discounts given | none | خصم مسموح به
  4200 Other income | none | إيرادات أخرى
    4210 Interest income | none | فوائد دائنة
    4220 Purchase discounts received | none | خصم مكتسب
    4230 Capital gains and other income | none | أرباح رأسمالية وإيرادات أخرى
    4240 Realised exchange gains | none | أرباح فروق عملة محققة
    4250 Unrealised exchange gains | none | أرباح فروق عملة غير محققة
5000 Cost of sales | expense | تكلفة المبيعات
  5100 Cost of goods sold | none | تكلفة البضاعة المباعة
  5200 Freight, customs and clearance | none | مصروفات شحن وجمارك وتخليص
  5300 Purchase price variance | none | فروق أسعار الشراء
  5400 Inventory adjustments | none | تسويات المخزون
6000 Expenses | expense | المصروفات
  6100 Selling and marketing | none | مصروفات بيعية وتسويقية
    6110 Advertising | none | دعاية وإعلان
    6120 Marketplace and platform fees | none | عمولات منصات البيع الإلكترونية
    6130 Delivery to customers | none | مصروفات توصيل للعملاء
    6140 Sales commissions | none | عمولات بيع
    6150 Samples | none | عينات مجانية
    6160 Charity commission | none | عمولات جمعيات خيرية
    6170 Bad debts | none | ديون معدومة
  6200 Staff costs | none | تكاليف العاملين
    6210 Salaries and wages | none | أجور ومرتبات
    6220 Company share of social insurance | none | حصة الشركة في التأمينات الاجتماعية
  6300 General and administrative | none | مصروفات عمومية وإدارية
    6310 Rent | none | إيجارات
    6320 Electricity and water | none | كهرباء ومياه
    6330 Communications and internet | none | اتصالات وإنترنت
    6350 Professional fees | none | أتعاب مهنية
    6360 Maintenance | none | صيانة
    6380 Stamp duty and government fees | none | ضريبة دمغة ورسوم حكومية
    6390 Depreciation and amortisation | none | إهلاك واستهلاك
  6400 Finance and other costs | none | مصروفات تمويلية وأخرى
    6410 Bank charges | none | مصروفات بنكية
    6420 Interest expense | none | فوائد مدينة
    6430 Realised exchange losses | none | خسائر فروق عملة محققة
    6440 Unrealised exchange losses | none | خسائر فروق عملة غير محققة
    6460 Cash over and short | none | عجز وزيادة الخزينة
    6470 Rounding differences | none | فروق تقريب
  6500 Income tax | none | ضريبة الدخل
    6510 Current income tax | none | ضريبة الدخل الجارية
`,
  roles: {
    importsClearing: '1590',
    productSales: '4110',
    carriageIncome: '4130',
    salesDiscount: '4190',
    platformFees: '6120',
    bankCharges: '6410',
    badDebt: '6170',
    manualSales: '4140',
    giftVouchers: '2150',
    samples: '6150',
    charityCommission: '6160',
    retainedEarnings: '3400',
    openingBalance: '3900',
    realisedExchangeGain: '4240',
    realisedExchangeLoss: '6430',
    unrealisedExchangeGain: '4250',
    unrealisedExchangeLoss: '6440',
    rounding: '6470',
  },
} as const
