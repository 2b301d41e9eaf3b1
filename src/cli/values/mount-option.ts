import type {
  BindMountRequest,
  ImageMountRequest,
  MountRequest,
  TmpfsMountRequest,
  VolumeMountRequest,
} from "../../engine/specification/run-options.ts";
import { parseImageSource } from "../../image/image-source.ts";
import { nearestName } from "../../nearest-name.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseBoolean } from "../option.ts";
import { quote } from "../option-table.ts";
import { oneOf } from "./choice.ts";
import { fieldsOf } from "./fields.ts";
import { parseBytes } from "./numbers.ts";
import { parseHostPath, parseMountPoint } from "./paths.ts";
import { tmpfsOptions } from "./tmpfs-option.ts";
import { parseVolumeName } from "./volume-name.ts";
import { NO_MAPPED_MOUNTS, propagationOf } from "./volume-option.ts";

/** The keys by their first names, with the others they go by. */
const ALIASES: Readonly<Record<string, string>> = {
  src: "source",
  target: "destination",
  dst: "destination",
  ro: "readonly",
  chown: "u",
  readwrite: "rw",
};
const COMMON_KEYS = ["type", "source", "destination", "readonly", "consistency"];
/** Podman's, of both kinds of mounts that have files already. */
const PODMAN_KEYS = ["u", "relabel", "idmap"];
const KEYS_OF_TYPE = {
  bind: ["bind-propagation", "bind-nonrecursive", "bind-recursive", "bind-create-src", ...PODMAN_KEYS],
  tmpfs: ["tmpfs-size", "tmpfs-mode"],
  image: ["image-subpath", "subpath", "rw"],
  volume: [...PODMAN_KEYS, "volume-nocopy", "volume-label", "volume-subpath", "subpath", "volume-driver", "volume-opt"],
};
/** These may come again and again. */
const REPEATED_KEYS = ["volume-label", "volume-opt"];
/** These may stand alone for "true". */
const BOOLEAN_KEYS = ["readonly", "bind-nonrecursive", "bind-create-src", "volume-nocopy", "u", "idmap", "rw"];
/** Of Docker Desktop; on one machine all views of a file are the same. */
const parseConsistency = oneOf("consistent", "cached", "delegated", "default");
const parseRelabelling = oneOf("shared", "private");

/** The values that a key was given, in their order. */
type Values = ReadonlyMap<string, readonly string[]>;

/**
 * Reads the value of `--mount`: `type=bind|tmpfs|volume|image,KEY=VALUE,...`, comma-separated values with Docker's keys.
 * The source of a bind mount has to exist; a volume is made when there is none of its name, an image pulled.
 * @throws InvalidValue
 */
export function parseMountOption(text: string): MountRequest {
  const values = readKeys(text);
  const type = valueAt(values, "type") ?? "volume";
  if (type !== "bind" && type !== "tmpfs" && type !== "volume" && type !== "image") {
    const known = ["cluster", "npipe"].includes(type);
    throw new InvalidValue(
      `${known ? `type ${type} is not available` : `unknown type ${quote(type)}`}; use type=bind, type=tmpfs, type=volume or type=image`,
    );
  }
  for (const key of values.keys()) {
    if (!COMMON_KEYS.includes(key) && !KEYS_OF_TYPE[type].includes(key)) {
      throw new InvalidValue(`${key} is not for type=${type}`);
    }
  }
  if (values.has("idmap")) throw new InvalidValue(NO_MAPPED_MOUNTS);
  parseConsistency(valueAt(values, "consistency") ?? "default");
  const destination = valueAt(values, "destination");
  if (destination === undefined) throw new InvalidValue("destination is missing");
  const place = parseMountPoint(destination);
  if (type === "image") return imageMount(values, place);
  if (type === "volume") return volumeMount(values, place);
  return type === "bind" ? bindMount(values, place) : tmpfsMount(values, place);
}

function readKeys(text: string): Values {
  const known = [...Object.keys(ALIASES), ...COMMON_KEYS, ...Object.values(KEYS_OF_TYPE).flat()];
  const values = new Map<string, string[]>();
  for (const field of fieldsOf(text)) {
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
    const value = rest.length === 0 ? "true" : rest.join("=");
    values.set(key, [...(REPEATED_KEYS.includes(key) ? (values.get(key) ?? []) : []), value]);
  }
  return values;
}

function bindMount(values: Values, destination: string): BindMountRequest {
  const source = valueAt(values, "source");
  if (source === undefined) throw new InvalidValue("source is missing");
  const readOnly = booleanAt(values, "readonly");
  const propagation = propagationOf(valueAt(values, "bind-propagation") ?? "rprivate");
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
    createSource: booleanAt(values, "bind-create-src"),
    propagation,
    recursive: recursion !== "disabled",
    recursiveReadOnly: readOnly && (recursion === "enabled" || recursion === "readonly"),
    ...ownershipOf(values),
    isOverlay: false,
    options: [],
  };
}

function volumeMount(values: Values, destination: string): VolumeMountRequest {
  const source = valueAt(values, "source");
  const driver = valueAt(values, "volume-driver") ?? "local";
  if (driver !== "local") throw new InvalidValue(`there is no volume driver ${quote(driver)}; there is local`);
  const subpath = valueAt(values, "volume-subpath") ?? valueAt(values, "subpath");
  if (subpath !== undefined && (subpath.startsWith("/") || subpath.split("/").includes(".."))) {
    throw new InvalidValue("volume-subpath must be relative to the volume, without ..");
  }
  return {
    type: "volume",
    name: source === undefined || source === "" ? undefined : parseVolumeName(source),
    isAnonymous: source === undefined || source === "",
    destination,
    readOnly: booleanAt(values, "readonly"),
    isPopulated: !booleanAt(values, "volume-nocopy"),
    subpath: subpath === "" ? undefined : subpath,
    labels: pairsAt(values, "volume-label"),
    driverOptions: pairsAt(values, "volume-opt"),
    propagation: "rprivate",
    ...ownershipOf(values),
    options: [],
  };
}

/** Read-only unless `rw` says otherwise, as in Podman. */
function imageMount(values: Values, destination: string): ImageMountRequest {
  const source = valueAt(values, "source");
  if (source === undefined || source === "") throw new InvalidValue("source is missing");
  const isWritable = booleanAt(values, "rw");
  if (isWritable && booleanAt(values, "readonly")) throw new InvalidValue("readonly and rw exclude each other");
  // Docker writes it absolute, Podman as it likes.
  const written = valueAt(values, "image-subpath") ?? valueAt(values, "subpath");
  const subpath = written?.replace(/^\/+|\/+$/g, "");
  if (subpath?.split("/").includes("..") === true) throw new InvalidValue("image-subpath must not contain ..");
  return {
    type: "image",
    image: parseImageSource(source),
    destination,
    readOnly: !isWritable,
    subpath: subpath === "" ? undefined : subpath,
  };
}

/** Podman's keys for the owner and the label of the files. */
function ownershipOf(values: Values): Pick<BindMountRequest, "givesToUser" | "relabel"> {
  const relabel = valueAt(values, "relabel");
  return {
    givesToUser: booleanAt(values, "u"),
    relabel: relabel === undefined ? undefined : parseRelabelling(relabel),
  };
}

/** `NAME=VALUE` or `NAME`, again and again. */
function pairsAt(values: Values, key: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (values.get(key) ?? []).map((text) => {
      const [name = "", ...rest] = text.split("=");
      return [name, rest.join("=")] as const;
    }),
  );
}

function recursionOf(values: Values): "enabled" | "disabled" | "writable" | "readonly" {
  const recursion = valueAt(values, "bind-recursive");
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

function tmpfsMount(values: Values, destination: string): TmpfsMountRequest {
  if (values.has("source")) throw new InvalidValue("source is not for type=tmpfs");
  const options = booleanAt(values, "readonly") ? ["ro"] : [];
  const size = valueAt(values, "tmpfs-size");
  if (size !== undefined) options.push(`size=${parseBytes(size)}`);
  const mode = valueAt(values, "tmpfs-mode");
  if (mode !== undefined) {
    if (!/^[0-7]{1,5}$/.test(mode)) throw new InvalidValue("tmpfs-mode must be an octal number such as 1777");
    options.push(`mode=${mode}`);
  }
  return { type: "tmpfs", destination, options: tmpfsOptions(options) };
}

function valueAt(values: Values, key: string): string | undefined {
  return values.get(key)?.at(-1);
}

function booleanAt(values: Values, key: string): boolean {
  const text = valueAt(values, key);
  return text !== undefined && parseBoolean(text);
}
