/*
 * The functions that Docker and Podman add to Go's for their `--format`: docs.docker.com, "Format command and log
 * output".
 */
import type { TemplateFunctions } from "./template-function.ts";
import { NIL_MAP, NIL_SLICE, numberOf, sortedEntries, type Value } from "./value.ts";

/** Docker's functions. */
export const dockerFunctions: TemplateFunctions = {
  join: {
    parameters: ["[]string", "string"],
    call: (elements: readonly string[], separator: string) => elements.join(separator),
  },
  json: { parameters: ["any"], call: (value: Value) => toJson(value) },
  lower: { parameters: ["string"], call: (text: string) => text.toLowerCase() },
  pad: {
    parameters: ["string", "int", "int"],
    call: (text: string, before: number, after: number) =>
      text === "" ? "" : " ".repeat(Math.max(0, before)) + text + " ".repeat(Math.max(0, after)),
  },
  split: {
    parameters: ["string", "string"],
    call: (text: string, separator: string) => (separator === "" ? [...text] : text.split(separator)),
  },
  title: {
    parameters: ["string"],
    call: (text: string) => text.replace(/(?<![\p{L}\p{N}_])\p{L}/gu, (letter) => letter.toUpperCase()),
  },
  truncate: { parameters: ["string", "int"], call: truncate },
  upper: { parameters: ["string"], call: (text: string) => text.toUpperCase() },
};

/** The same as far as a table's header is concerned, which they are not to change; it stays as wide as it must be. */
export const headerFunctions: TemplateFunctions = {
  ...dockerFunctions,
  json: { parameters: ["any"], call: () => "" },
  lower: { parameters: ["string"], call: (text: string) => text },
  slice: { parameters: ["any"], rest: "any", call: (item: Value) => item },
  title: { parameters: ["string"], call: (text: string) => text },
  truncate: { parameters: ["string", "int"], call: (text: string) => text },
  upper: { parameters: ["string"], call: (text: string) => text },
};

/** The first bytes of a text. */
function truncate(text: string, length: number): string {
  if (length < 0) throw new Error(`slice bounds out of range [:${length}]`);
  return Buffer.from(text).subarray(0, length).toString();
}

/**
 * JSON as Go's encoding/json writes it: maps in the order of their keys, structs in that of their fields, methods left
 * out.
 * @param indent blanks for each level; without, all stands on one line
 */
export function toJson(value: Value, indent = 0): string {
  const json = JSON.stringify(
    value,
    function (this: Readonly<Record<string, Value>>, key, member: Value) {
      const original = this[key];
      if (original instanceof Date) return original.toISOString().replace(/\.?0*Z$/, "Z");
      if (original === NIL_SLICE || original === NIL_MAP) return null;
      if (original instanceof Map) return Object.fromEntries(sortedEntries(original));
      return numberOf(original) ?? member;
    },
    indent,
  );
  // Undefined has no JSON of its own; at the top it is Go's nil.
  return json?.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029") ?? "null";
}
