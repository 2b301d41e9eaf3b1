/*
 * The functions that every Go template has; text/template, "Functions". `and` and `or` are the evaluation's, because they
 * do not evaluate all of their arguments.
 */
import { printAll, printLine } from "./print.ts";
import { formatPrintf } from "./printf.ts";
import type { TemplateFunctions } from "./template-function.ts";
import { isList, isMap, isTrue, kindOf, numberOf, typeName, type Value, zeroOfElements } from "./value.ts";

/** The functions that every template has. */
export const builtInFunctions: TemplateFunctions = {
  call: {
    parameters: ["any"],
    rest: "any",
    call: (value: Value) => {
      // Methods are called where they are named, and data holds no other functions.
      throw new Error(
        value === undefined || value === null ? "call of nil" : `non-function of type ${typeName(value)}`,
      );
    },
  },
  eq: { parameters: ["any"], rest: "any", call: equalsAny },
  ge: { parameters: ["any", "any"], call: (a: Value, b: Value) => !isLess(a, b) },
  gt: { parameters: ["any", "any"], call: (a: Value, b: Value) => isLess(b, a) },
  html: { parameters: [], rest: "any", call: (...values: readonly Value[]) => escapeHtml(textOf(values)) },
  index: { parameters: ["any"], rest: "any", call: index },
  js: { parameters: [], rest: "any", call: (...values: readonly Value[]) => escapeJavaScript(textOf(values)) },
  le: { parameters: ["any", "any"], call: (a: Value, b: Value) => !isLess(b, a) },
  len: { parameters: ["any"], call: length },
  lt: { parameters: ["any", "any"], call: isLess },
  ne: { parameters: ["any", "any"], call: (a: Value, b: Value) => !equals(a, b) },
  not: { parameters: ["any"], call: (value: Value) => !isTrue(value) },
  print: { parameters: [], rest: "any", call: (...values: readonly Value[]) => printAll(values) },
  printf: {
    parameters: ["string"],
    rest: "any",
    call: (format: string, ...values: readonly Value[]) => formatPrintf(format, values),
  },
  println: { parameters: [], rest: "any", call: (...values: readonly Value[]) => printLine(values) },
  slice: { parameters: ["any"], rest: "any", call: slice },
  urlquery: { parameters: [], rest: "any", call: (...values: readonly Value[]) => escapeQuery(textOf(values)) },
};

function textOf(values: readonly Value[]): string {
  return printAll(values.map((value) => (value === undefined ? "<no value>" : value)));
}

function equalsAny(first: Value, ...others: readonly Value[]): boolean {
  if (others.length === 0) throw new Error("missing argument for comparison");
  return others.some((other) => equals(first, other));
}

function equals(a: Value, b: Value): boolean {
  if (isNothing(a) || isNothing(b)) return isNothing(a) && isNothing(b);
  const [first, second] = [comparable(a), comparable(b)];
  if (typeof first !== typeof second) throw new Error("incompatible types for comparison");
  return first === second;
}

function isNothing(value: Value): boolean {
  return value === undefined || value === null;
}

function isLess(a: Value, b: Value): boolean {
  const [first, second] = [a, b].map((value) =>
    typeof value === "boolean" || isNothing(value) ? undefined : comparable(value),
  );
  if (first === undefined || second === undefined) throw new Error("invalid type for comparison");
  if (typeof first === "string" && typeof second === "string") {
    return Buffer.compare(Buffer.from(first), Buffer.from(second)) < 0;
  }
  if (typeof first !== typeof second) throw new Error("incompatible types for comparison");
  return first < second;
}

/** What values are compared by; numbers of both kinds by their size, where Go wants the same kind. */
function comparable(value: Value): string | number | boolean {
  if (typeof value === "string" || typeof value === "boolean") return value;
  const number = value instanceof Date ? undefined : numberOf(value);
  if (number === undefined) throw new Error(`non-comparable type ${printAll([value])}: ${typeName(value)}`);
  return number;
}

function index(item: Value, ...keys: readonly Value[]): Value {
  let current = item;
  if (current === undefined || current === null) throw new Error("index of untyped nil");
  for (const key of keys) {
    if (current === null) throw new Error("index of nil pointer");
    if (isMap(current)) {
      if (key === undefined || key === null) throw new Error("value is nil; should be of type string");
      if (typeof key !== "string") throw new Error(`value has type ${typeName(key)}; should be string`);
      current = current.has(key) ? (current.get(key) ?? undefined) : zeroOfElements(current);
    } else if (isList(current)) current = current[position(key, current.length - 1)];
    else if (typeof current === "string") {
      const bytes = Buffer.from(current);
      current = bytes[position(key, bytes.length - 1)];
    } else throw new Error(`can't index item of type ${typeName(current)}`);
  }
  return current;
}

function position(key: Value, last: number): number {
  if (key === undefined || key === null) throw new Error("cannot index slice/array with nil");
  if (kindOf(key) !== "int") throw new Error(`cannot index slice/array with type ${typeName(key)}`);
  const number = key as number;
  if (number < 0 || number > last) throw new Error(`index out of range: ${number}`);
  return number;
}

function slice(item: Value, ...bounds: readonly Value[]): Value {
  if (item === undefined || item === null) throw new Error("slice of untyped nil");
  if (bounds.length > 3) throw new Error(`too many slice indexes: ${bounds.length}`);
  if (typeof item === "string") {
    if (bounds.length === 3) throw new Error("cannot 3-index slice a string");
    const bytes = Buffer.from(item);
    return bytes.subarray(...range(bounds, bytes.length)).toString();
  }
  if (!isList(item)) throw new Error(`can't slice item of type ${typeName(item)}`);
  return item.slice(...range(bounds, item.length));
}

function range(bounds: readonly Value[], length: number): readonly [from: number, to: number] {
  const [from = 0, to = length, capacity = length] = bounds.map((bound) => position(bound, length));
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  if (to > capacity) throw new Error(`invalid slice index: ${to} > ${capacity}`);
  return [from, to];
}

function length(value: Value): number {
  if (value === undefined || value === null) throw new Error("len of nil pointer");
  if (typeof value === "string") return Buffer.byteLength(value);
  if (isMap(value)) return value.size;
  if (isList(value)) return value.length;
  throw new Error(`len of type ${typeName(value)}`);
}

const HTML_ESCAPES: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

function escapeHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (character) => HTML_ESCAPES[character] ?? character);
}

const JAVASCRIPT_ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "<": "\\u003C",
  ">": "\\u003E",
  "&": "\\u0026",
  "=": "\\u003D",
};

function escapeJavaScript(text: string): string {
  return [...text]
    .map((character) => {
      const escaped = JAVASCRIPT_ESCAPES[character];
      if (escaped !== undefined) return escaped;
      const code = character.codePointAt(0) ?? 0;
      const isPrintable = character === " " || !/[\p{C}\p{Z}]/u.test(character);
      return isPrintable ? character : `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
    })
    .join("");
}

function escapeQuery(text: string): string {
  return encodeURIComponent(text)
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
