/*
 * Properties of a container's scope by annotations, as runc and crun have them: `org.systemd.property.NAME`, with a value
 * in the text format of GVariant. The types that properties of scopes have: strings, lists of strings, truth values and
 * integers, `uint64 5` being one of another type than `5`. What systemd counts in microseconds may be given in seconds
 * with a name that ends in `Sec`.
 */
import { BunkerError } from "../../sys/error.ts";
import type { UnitProperty } from "./transient-scope.ts";

const PREFIX = "org.systemd.property.";
const INTEGER_TYPES: Readonly<Record<string, string>> = { "": "i", int32: "i", uint32: "u", int64: "x", uint64: "t" };
const MICROSECONDS = 1_000_000;

/**
 * The properties that annotations ask for.
 * @throws BunkerError `invalid_configuration`
 */
export function unitProperties(annotations: Readonly<Record<string, string>>): readonly UnitProperty[] {
  return Object.entries(annotations)
    .filter(([name]) => name.startsWith(PREFIX))
    .map(([name, text]) => {
      const property = parseProperty(name.slice(PREFIX.length), text.trim());
      if (property !== undefined) return property;
      throw new BunkerError({
        code: "invalid_configuration",
        operation: "read configuration",
        object: `annotations.${name}`,
        reason: `expected a property of a unit and a value such as 'text', ['a', 'b'], true, 5 or uint64 5, got ${JSON.stringify(text)}`,
      });
    });
}

function parseProperty(name: string, text: string): UnitProperty | undefined {
  if (!/^[A-Z][A-Za-z0-9]*$/.test(name)) return undefined;
  const string = parseString(text);
  if (string !== undefined) return [name, "s", string];
  if (text === "true" || text === "false") return [name, "b", text === "true"];
  const list = /^\[(.*)\]$/s.exec(text)?.[1];
  if (list !== undefined) {
    const strings = list.trim() === "" ? [] : list.split(",").map((item) => parseString(item.trim()));
    return strings.every((item) => item !== undefined) ? [name, "as", strings] : undefined;
  }
  const [, type = "", digits] = /^(?:(u?int(?:32|64))\s+)?(-?\d{1,15})$/.exec(text) ?? [];
  const signature = INTEGER_TYPES[type];
  if (digits === undefined || signature === undefined) return undefined;
  const number = Number(digits);
  if (name.endsWith("Sec") && !name.endsWith("USec")) return [name.replace(/Sec$/, "USec"), "t", number * MICROSECONDS];
  return [name, signature, number];
}

function parseString(text: string): string | undefined {
  const match = /^(?:'([^'\\]*)'|"([^"\\]*)")$/s.exec(text);
  return match?.[1] ?? match?.[2];
}
