/** Masters shown by the generic screen; apart from the definitions, so that the menu stays light. */
export const masterKeys = ['units-of-measure', 'currencies', 'exchange-rates'] as const
export type MasterKey = (typeof masterKeys)[number]
