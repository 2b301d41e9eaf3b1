/*
 * What templates work on, and how Go would see it. Commands hand over plain JavaScript data; here is what becomes of it:
 *
 *   string                 string; lengths and positions count bytes of UTF-8, as in Go
 *   number                 int if it is whole, else float64; `Float` is a float64 that happens to be whole
 *   boolean, Date          bool, time.Time
 *   array                  slice
 *   Map                    map with strings as keys: in the keys' order, and a missing key is no mistake
 *   other objects          struct: in the order of its properties, and a missing field is a mistake; getters are computed
 *                          only when asked for; functions among the properties are methods, which take arguments
 *   null                   nil
 *   undefined              no value at all: what a map says of a key that it has not, printed as `<no value>`
 */

/** A float64, for what must print as one although it is whole. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A slice and a map that Go has not made: empty for templates, null in JSON. */
export const NIL_SLICE: readonly Value[] = Object.freeze([]);
export const NIL_MAP: ReadonlyMap<string, Value> = new Map();

/** A map of a record, that Go has not made when it is empty. */
export function mapOrNil(record: Readonly<Record<string, string>>): ReadonlyMap<string, Value> {
  const entries = Object.entries(record);
  return entries.length === 0 ? NIL_MAP : new Map(entries);
}

/** Takes arguments behind the name: `.Label "key"`. */
type Method = (...parameters: readonly string[]) => Value;

/** Fields and methods by name. */
export interface Structure {
  readonly [field: string]: Value | Method;
}

/** Anything that a template can meet. */
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | Date
  | Float
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | Structure;

/** What Go calls the kind of a value; `invalid` is no value at all. */
export type Kind = "invalid" | "nil" | "bool" | "string" | "int" | "float64" | "slice" | "map" | "time" | "struct";

/** The kind of a value. */
export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case "undefined":
      return "invalid";
    case "boolean":
      return "bool";
    case "string":
      return "string";
    case "number":
      return Number.isInteger(value) ? "int" : "float64";
    default:
      if (value === null) return "nil";
      if (isList(value)) return "slice";
      if (isMap(value)) return "map";
      if (value instanceof Date) return "time";
      return value instanceof Float ? "float64" : "struct";
  }
}

/** Whether a value is a slice. */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Whether a value is a map. */
export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

/** Whether a value is a struct. */
export function isStructure(value: Value): value is Structure {
  return kindOf(value) === "struct";
}

/** The number that a value is; undefined for what is none. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === "number") return value;
  return value instanceof Float ? value.value : undefined;
}

/** The keys of a map and their values, in the order in which Go walks through maps: that of the keys' bytes. */
export function sortedEntries(map: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  return [...map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** The fields of a struct without its methods. */
export function fieldsOf(structure: Structure): readonly (readonly [name: string, value: Value])[] {
  return Object.entries(structure).filter((entry): entry is [string, Value] => typeof entry[1] !== "function");
}

/** Whether `if` takes a value for true: whatever is not zero, empty or nil. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null) return false;
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  if (value instanceof Float) return value.value !== 0;
  return typeof value === "object" || Boolean(value);
}

/** What a map gives for a key that it has not, where Go asks for the zero value of its elements. */
export function zeroOfElements(map: ReadonlyMap<string, Value>): Value {
  const kinds = new Set([...map.values()].map(kindOf));
  if (kinds.size > 1) return undefined;
  switch ([...kinds][0]) {
    // Nearly all maps that templates see are of strings; an empty one does not say.
    case undefined:
    case "string":
      return "";
    case "int":
    case "float64":
      return 0;
    case "bool":
      return false;
    case "slice":
      return [];
    default:
      return undefined;
  }
}

/** The type of a value in Go's notation; structs have no names here. */
export function typeName(value: Value): string {
  const kind = kindOf(value);
  switch (kind) {
    case "invalid":
    case "nil":
      return "<nil>";
    case "slice":
      return `[]${elementType(value as readonly Value[])}`;
    case "map":
      return `map[string]${elementType([...(value as ReadonlyMap<string, Value>).values()])}`;
    case "time":
      return "time.Time";
    default:
      return kind;
  }
}

function elementType(elements: readonly Value[]): string {
  const names = new Set(elements.map(typeName));
  const [name = "string"] = names;
  return names.size > 1 || name === "<nil>" ? "interface {}" : name;
}
