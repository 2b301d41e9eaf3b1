import { NIL_MAP, NIL_SLICE, numberOf, sortedEntries, type Value } from "./value.ts";

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
