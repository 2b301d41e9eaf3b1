/*
 * Go templates, the language of `--format`; pkg.go.dev/text/template. Docker's users know it, and their scripts are full
 * of it, so Bunker speaks it whole: `value.ts` says how data is seen, `token.ts` and `parser.ts` read a template,
 * `execute.ts` carries it out, `print.ts` and `printf.ts` write values as Go's fmt does, and the functions are in
 * `built-in-functions.ts` and `docker-functions.ts`. Nothing is compiled to JavaScript.
 *
 * What differs from Go: strings are text, so bytes that are no UTF-8 become U+FFFD; numbers of different kinds can be
 * compared; there are no complex numbers; structs have no names in messages; templates may call each other 500 deep.
 */
import { builtInFunctions } from "./built-in-functions.ts";
import { executeTree, type MissingKeys } from "./execute.ts";
import { parseTemplateTree } from "./parser.ts";
import type { TemplateFunctions } from "./template-function.ts";
import type { Value } from "./value.ts";

/** A template that has been read, ready for any number of values. */
export interface Template {
  /**
   * What it prints for a value.
   * @param overriding functions instead of those that it was read with
   * @param missingKeys fields of maps that these have not print as `<no value>` unless they are to be mistakes
   * @throws TemplateError
   */
  execute(data: Value, overriding?: TemplateFunctions, missingKeys?: MissingKeys): string;
}

const LAZY_FUNCTIONS = ["and", "or"];

/**
 * Reads a template.
 * @param functions besides those that every template has
 * @throws TemplateError
 */
export function parseTemplate(source: string, functions: TemplateFunctions): Template {
  const all = { ...builtInFunctions, ...functions };
  const tree = parseTemplateTree(source, new Set([...Object.keys(all), ...LAZY_FUNCTIONS]));
  return {
    execute: (data, overriding = {}, missingKeys = "no value") =>
      executeTree(tree, { ...all, ...overriding }, data, missingKeys),
  };
}
