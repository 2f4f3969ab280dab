/**
 * Schemas become functions when they are first needed. A process has hundreds of routes and a command asks a few:
 * compiled all at once they were half of every start. That each of them can be compiled is a test's to say.
 */
import Compiler from '@fastify/fast-json-stringify-compiler'

export function atFirstUse<Given, Made>(compile: () => (given: Given) => Made): (given: Given) => Made {
  let compiled: ((given: Given) => Made) | undefined
  return (given) => (compiled ??= compile())(given)
}

/** Fastify's own way to write answers, compiled late. */
export const buildSerializer: Compiler.SerializerFactory = (sharedSchemas, options) => {
  const compile = Compiler.SerializerSelector()(sharedSchemas, options)
  return (definition) => atFirstUse(() => compile(definition))
}
