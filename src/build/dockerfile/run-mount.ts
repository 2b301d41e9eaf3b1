/*
 * The values of `RUN --mount`: `type=cache,target=/var/cache,sharing=locked`; "RUN --mount" in the Dockerfile reference.
 * Values may have variables but for `from`, because the stages that a build needs must be known before it begins. So a
 * mount is read twice: by the parser, which sees what can be seen without values, and with them when the RUN is done.
 */
import { posix } from "node:path";
import { nearestName } from "../../nearest-name.ts";
import { parseByteCount } from "../../notation/byte-count.ts";
import { MalformedFields, parseFields } from "../../notation/comma-separated-fields.ts";
import { atLocation, LanguageMistake } from "./dockerfile-error.ts";
import { expand, type Scope } from "./expand.ts";
import type { EscapeCharacter, InstructionNamed, RunMount } from "./instruction.ts";

const SYNONYMS: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
  rw: "readwrite",
};

const TYPES = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;
const SHARING = ["shared", "private", "locked"] as const;

const OWNERSHIP = ["mode", "uid", "gid"];
const KEYS_OF_TYPE: Readonly<Record<RunMount["type"], readonly string[]>> = {
  bind: ["type", "from", "source", "target", "readonly", "readwrite"],
  cache: ["type", "id", "from", "source", "target", "readonly", "readwrite", "sharing", ...OWNERSHIP],
  tmpfs: ["type", "target", "size"],
  secret: ["type", "id", "source", "target", "env", "required", ...OWNERSHIP],
  ssh: ["type", "id", "target", "required", ...OWNERSHIP],
};
const KEYS = [...new Set(Object.values(KEYS_OF_TYPE).flat())];
/** What may stand without a value. */
const SWITCHES = ["readonly", "readwrite", "required"];

type Values = ReadonlyMap<string, string>;

/**
 * The mounts of a RUN.
 * @param scope for the variables in them
 * @param workingDirectory of the RUN, which targets are relative to
 * @returns targets are absolute
 * @throws DockerfileError
 */
export function runMounts(
  { mounts, location }: InstructionNamed<"RUN">,
  scope: Scope,
  workingDirectory: string,
): readonly RunMount[] {
  return atLocation(location, () =>
    mounts.map((text) =>
      readMount(
        readValues(text, (value) => expand(value, scope)),
        workingDirectory,
      ),
    ),
  );
}

/**
 * Looks for what is wrong with a mount whatever its variables are.
 * @throws LanguageMistake
 */
export function checkMount(text: string, escapeCharacter: EscapeCharacter): void {
  const hasVariables = text.includes("$");
  const scope: Scope = { lookUp: () => undefined, escape: escapeCharacter };
  const values = readValues(text, (value) => (hasVariables ? value : expand(value, scope)));
  if (!hasVariables) readMount(values, "/");
}

/** What a mount is from; undefined for the build context, and for what is from nowhere. */
export function mountedFrom(text: string): string | undefined {
  return readValues(text, (value) => value).get("from");
}

function readValues(text: string, expanded: (value: string) => string): Values {
  const values = new Map<string, string>();
  for (const field of fieldsOf(text)) {
    const equals = field.indexOf("=");
    const written = (equals === -1 ? field : field.slice(0, equals)).toLowerCase();
    const key = Object.hasOwn(SYNONYMS, written) ? (SYNONYMS[written] ?? written) : written;
    if (!KEYS.includes(key)) {
      const nearest = nearestName(written, [...KEYS, ...Object.keys(SYNONYMS)]);
      const guess = nearest === undefined ? "" : ` (did you mean ${nearest}?)`;
      throw new LanguageMistake(`unexpected key '${written}' in '${field}'${guess}`);
    }
    if (equals === -1 && !SWITCHES.includes(key)) {
      throw new LanguageMistake(`invalid field '${field}' must be a key=value pair`);
    }
    const value = equals === -1 ? "true" : field.slice(equals + 1);
    if (key === "from" && /\$./s.test(value)) {
      throw new LanguageMistake("'from' doesn't support variable expansion, define alias stage instead");
    }
    values.set(key, key === "from" ? value : expanded(value));
  }
  return values;
}

function fieldsOf(text: string): readonly string[] {
  try {
    return parseFields(text);
  } catch (cause) {
    throw cause instanceof MalformedFields ? new LanguageMistake(`--mount: ${cause.message}`, { cause }) : cause;
  }
}

function readMount(values: Values, workingDirectory: string): RunMount {
  const type = choice("mount type", values.get("type") ?? "bind", TYPES);
  for (const key of values.keys()) {
    if (!KEYS_OF_TYPE[type].includes(key)) {
      throw new LanguageMistake(`unexpected key '${key}' for mount type '${type}'`);
    }
  }
  const written = values.get("target") ?? "";
  const target = posix.resolve("/", workingDirectory, written);
  const from = values.get("from") || undefined;
  const source = values.get("source") ?? "";
  switch (type) {
    case "bind":
      return { type, from, source: inside(source), target: mountPoint(target), isReadOnly: isReadOnly(values, true) };
    case "cache":
      return {
        type,
        id: values.get("id") || posix.normalize(written || "."),
        from,
        source: inside(source),
        target: mountPoint(target),
        isReadOnly: isReadOnly(values, false),
        sharing: choice("sharing value", values.get("sharing") || "shared", SHARING),
        ...ownership(values, 0o755),
      };
    case "tmpfs":
      return { type, target: mountPoint(target), size: sizeOf(values) };
    case "secret": {
      const { id, path } = secretNames(values.get("id") ?? "", source, written);
      const environmentVariable = values.get("env");
      const isFile = written !== "" || environmentVariable === undefined;
      return {
        type,
        id,
        target: isFile ? mountPoint(posix.resolve("/", workingDirectory, path)) : undefined,
        environmentVariable: environmentVariable === "" ? id : environmentVariable,
        isRequired: boolean(values, "required") ?? false,
        ...ownership(values, 0o400),
      };
    }
    case "ssh":
      return {
        type,
        id: values.get("id") || "default",
        target: written === "" ? undefined : mountPoint(target),
        isRequired: boolean(values, "required") ?? false,
        ...ownership(values, 0o600),
      };
  }
}

/** A path in what a mount is from. */
function inside(source: string): string {
  return posix.resolve("/", source);
}

function mountPoint(target: string): string {
  if (target === "/") throw new LanguageMistake(`invalid mount target "/"`);
  return target;
}

function secretNames(id: string, source: string, target: string): { id: string; path: string } {
  if (id !== "" && source !== "") throw new LanguageMistake("both source and id can't be set");
  const name = id || source || posix.basename(target);
  if (name === "") throw new LanguageMistake("invalid secret mount. one of source, target required");
  return { id: name, path: target || `/run/secrets/${posix.basename(name)}` };
}

function ownership(values: Values, mode: number): { mode: number; uid: number; gid: number } {
  return {
    mode: values.has("mode") ? number(values, "mode", 8) : mode,
    uid: number(values, "uid", 10),
    gid: number(values, "gid", 10),
  };
}

function number(values: Values, key: string, radix: 8 | 10): number {
  const text = values.get(key);
  if (text === undefined) return 0;
  const value = (radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(text) ? Number.parseInt(text, radix) : Number.NaN;
  if (!(value <= 0xffff_ffff)) throw new LanguageMistake(`invalid value ${text} for ${key}`);
  return value;
}

function sizeOf(values: Values): number | undefined {
  const text = values.get("size");
  if (text === undefined) return undefined;
  const bytes = parseByteCount(text);
  if (bytes === undefined || bytes === Number.POSITIVE_INFINITY) {
    throw new LanguageMistake(`invalid value for size: ${text}`);
  }
  return bytes === 0 ? undefined : bytes;
}

function isReadOnly(values: Values, otherwise: boolean): boolean {
  const readWrite = boolean(values, "readwrite");
  return boolean(values, "readonly") ?? (readWrite === undefined ? otherwise : !readWrite);
}

/** As Go's `strconv.ParseBool`. */
function boolean(values: Values, key: string): boolean | undefined {
  const text = values.get(key);
  if (text === undefined) return undefined;
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw new LanguageMistake(`invalid value for ${key}: ${text}`);
}

function choice<const Value extends string>(what: string, written: string, known: readonly Value[]): Value {
  const value = known.find((each) => each === written.toLowerCase());
  if (value !== undefined) return value;
  const nearest = nearestName(written, known);
  const guess = nearest === undefined ? `it may be ${known.join(", ")}` : `did you mean ${nearest}?`;
  throw new LanguageMistake(`unsupported ${what} ${JSON.stringify(written)} (${guess})`);
}
