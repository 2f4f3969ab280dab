/**
 * Cuts a script into its statements, as psql would: semicolons inside quotes, dollar quotes, comments and
 * parentheses do not end one.
 */
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1|[eE]?'(?:[^'\\]|''|\\[\s\S])*'|"(?:[^"]|"")*"|[^\s;()'"$/-]+|[\s\S]/g

export function statementsOf(script: string): string[] {
  const statements: string[] = []
  let [current, depth] = ['', 0]
  for (const [token] of script.matchAll(TOKEN)) {
    if (token.startsWith('--') || token.startsWith('/*')) continue
    if (token === '(') depth++
    if (token === ')') depth--
    if (token === ';' && depth === 0) {
      statements.push(current.trim())
      current = ''
    } else {
      current += token
    }
  }
  return [...statements, current.trim()].filter((statement) => statement !== '')
}
