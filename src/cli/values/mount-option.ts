import type { BindMountRequest, MountRequest, TmpfsMountRequest } from "../../engine/run-options.ts";
import { nearestName } from "../../nearest-name.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseBoolean } from "../option.ts";
import { quote } from "../option-table.ts";
import { parseFields } from "./comma-separated-fields.ts";
import { parseBytes } from "./numbers.ts";
import { parseHostPath, parseMountPoint } from "./paths.ts";
import { tmpfsOptions } from "./tmpfs-option.ts";
import { propagationOf } from "./volume-option.ts";

/** The keys by their first names, with the others they go by. */
const ALIASES: Readonly<Record<string, string>> = {
  src: "source",
  target: "destination",
  dst: "destination",
  ro: "readonly",
};
const COMMON_KEYS = ["type", "source", "destination", "readonly"];
const KEYS_OF_TYPE = {
  bind: ["bind-propagation", "bind-nonrecursive", "bind-recursive"],
  tmpfs: ["tmpfs-size", "tmpfs-mode"],
};
/** These may stand alone for "true". */
const BOOLEAN_KEYS = ["readonly", "bind-nonrecursive"];

/**
 * Reads the value of `--mount`: `type=bind|tmpfs,KEY=VALUE,...`, comma-separated values with Docker's keys. The source
 * of a bind mount has to exist.
 * @throws InvalidValue
 */
export function parseMountOption(text: string): MountRequest {
  const values = readKeys(text);
  const type = values.get("type") ?? "volume";
  if (type !== "bind" && type !== "tmpfs") {
    const known = ["volume", "cluster", "image", "npipe"].includes(type);
    throw new InvalidValue(
      `${known ? `type ${type} is not available yet` : `unknown type ${quote(type)}`}; use type=bind or type=tmpfs`,
    );
  }
  for (const key of values.keys()) {
    if (!COMMON_KEYS.includes(key) && !KEYS_OF_TYPE[type].includes(key)) {
      throw new InvalidValue(`${key} is not for type=${type}`);
    }
  }
  const destination = values.get("destination");
  if (destination === undefined) throw new InvalidValue("destination is missing");
  return type === "bind"
    ? bindMount(values, parseMountPoint(destination))
    : tmpfsMount(values, parseMountPoint(destination));
}

function readKeys(text: string): ReadonlyMap<string, string> {
  const known = [...Object.keys(ALIASES), ...COMMON_KEYS, ...Object.values(KEYS_OF_TYPE).flat()];
  const values = new Map<string, string>();
  for (const field of parseFields(text)) {
    const [written = "", ...rest] = field.split("=");
    const lower = written.toLowerCase();
    if (!known.includes(lower)) {
      const nearest = nearestName(lower, known);
      throw new InvalidValue(
        `unknown key ${quote(written)}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
      );
    }
    const key = ALIASES[lower] ?? lower;
    if (rest.length === 0 && !BOOLEAN_KEYS.includes(key))
      throw new InvalidValue(`${written} needs a value: ${written}=…`);
    values.set(key, rest.length === 0 ? "true" : rest.join("="));
  }
  return values;
}

function bindMount(values: ReadonlyMap<string, string>, destination: string): BindMountRequest {
  const source = values.get("source");
  if (source === undefined) throw new InvalidValue("source is missing");
  const readOnly = booleanAt(values, "readonly");
  const propagation = propagationOf(values.get("bind-propagation") ?? "rprivate");
  if (propagation === undefined) {
    throw new InvalidValue("bind-propagation must be private, rprivate, shared, rshared, slave or rslave");
  }
  const recursion = recursionOf(values);
  if (recursion === "readonly" && !(readOnly && propagation === "rprivate")) {
    throw new InvalidValue("bind-recursive=readonly needs readonly and bind-propagation=rprivate");
  }
  return {
    type: "bind",
    source: parseHostPath(source),
    destination,
    readOnly,
    createSource: false,
    propagation,
    recursive: recursion !== "disabled",
    recursiveReadOnly: readOnly && (recursion === "enabled" || recursion === "readonly"),
    relabel: undefined,
    options: [],
  };
}

function recursionOf(values: ReadonlyMap<string, string>): "enabled" | "disabled" | "writable" | "readonly" {
  const recursion = values.get("bind-recursive");
  if (recursion !== undefined && values.has("bind-nonrecursive")) {
    throw new InvalidValue("bind-nonrecursive and bind-recursive exclude each other");
  }
  switch (recursion) {
    case undefined:
      return booleanAt(values, "bind-nonrecursive") ? "disabled" : "enabled";
    case "enabled":
    case "disabled":
    case "writable":
    case "readonly":
      return recursion;
    default:
      throw new InvalidValue("bind-recursive must be enabled, disabled, writable or readonly");
  }
}

function tmpfsMount(values: ReadonlyMap<string, string>, destination: string): TmpfsMountRequest {
  if (values.has("source")) throw new InvalidValue("source is not for type=tmpfs");
  const options = booleanAt(values, "readonly") ? ["ro"] : [];
  const size = values.get("tmpfs-size");
  if (size !== undefined) options.push(`size=${parseBytes(size)}`);
  const mode = values.get("tmpfs-mode");
  if (mode !== undefined) {
    if (!/^[0-7]{1,5}$/.test(mode)) throw new InvalidValue("tmpfs-mode must be an octal number such as 1777");
    options.push(`mode=${mode}`);
  }
  return { type: "tmpfs", destination, options: tmpfsOptions(options) };
}

function booleanAt(values: ReadonlyMap<string, string>, key: string): boolean {
  const text = values.get(key);
  return text !== undefined && parseBoolean(text);
}
