/** A list's address with another filter: it begins at its first page, and what is empty is not in it. */
export function changedSearch<Search extends object>(
  search: Search,
  changed: { [Name in keyof Search]?: Search[Name] | null | undefined },
): Partial<Search> {
  const given = Object.entries({ ...search, page: undefined, ...changed }).filter(([, value]) => value)
  return Object.fromEntries(given) as Partial<Search>
}
