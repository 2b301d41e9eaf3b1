/** What a JSON text spells. */
type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

// The third argument of a reviver: https://github.com/tc39/proposal-json-parse-with-source
interface ReviverContext {
  readonly source?: string;
}

const INTEGER = /^-?\d+$/;
/** Not what stands in texts, as the ids of containers in paths: a reviver makes parsing five times as slow. */
const LONG_NUMBER = /(?:^|[\s,:[-])\d{16}/;

function keepInteger(_key: string, value: JsonValue, context?: ReviverContext): JsonValue {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && INTEGER.test(source) ? BigInt(source) : value;
}

/**
 * Parses JSON without changing its integers: those that a number cannot hold exactly (from 2^53 on) become bigints.
 * Filters compare 64-bit values, and `JSON.parse` alone would round them silently.
 * @throws SyntaxError when `text` is no JSON
 */
export function parseExactJson(text: string): JsonValue {
  return LONG_NUMBER.test(text) ? JSON.parse(text, keepInteger) : JSON.parse(text);
}
