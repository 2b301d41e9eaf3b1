import type { Compression } from "../../../image/layers/decompress.ts";
import { nearestName } from "../../../nearest-name.ts";
import { InvalidValue } from "../../invalid-value.ts";
import { parseBoolean } from "../../option.ts";
import { oneOf } from "../../values/choice.ts";
import { compressions, levelOf } from "../../values/compression.ts";
import { fieldsOf } from "../../values/fields.ts";

const TYPES = ["image", "registry", "oci", "docker", "tar", "local"] as const;
const KEYS = [
  ...["type", "dest", "name", "push", "tar", "compression", "compression-level"],
  ...["oci-mediatypes", "rewrite-timestamp"],
];

/** A value of `--output`, read but not yet joined with the other options. */
export interface OutputOption {
  readonly type: (typeof TYPES)[number];
  readonly destination: string | undefined;
  readonly names: readonly string[];
  readonly pushes: boolean;
  /** `tar=false`: a directory instead of an archive. */
  readonly isArchive: boolean;
  readonly compression: Compression;
  readonly level: number | undefined;
  readonly mediaTypes: "oci" | "docker" | undefined;
  readonly rewritesTimes: boolean;
}

/**
 * Reads a value of `--output`: `type=TYPE[,KEY=VALUE]`; a path alone is a directory for the files, and `-` an archive of
 * them on standard output.
 * @throws InvalidValue
 */
export function parseOutputOption(text: string): OutputOption {
  if (!text.includes("="))
    return outputOf(
      new Map([
        ["type", text === "-" ? "tar" : "local"],
        ["dest", text],
      ]),
    );
  const values = optionFields(text);
  for (const key of values.keys()) {
    if (KEYS.includes(key)) continue;
    const nearest = nearestName(key, KEYS);
    throw new InvalidValue(
      `unknown key ${JSON.stringify(key)}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
    );
  }
  if (!values.has("type")) throw new InvalidValue("the type is missing");
  return outputOf(values);
}

/**
 * Reads `KEY=VALUE[,KEY=VALUE]`, with the quotes of CSV.
 * @throws InvalidValue
 */
export function optionFields(text: string): ReadonlyMap<string, string> {
  return new Map(
    fieldsOf(text).map((field) => {
      const equals = field.indexOf("=");
      if (equals < 0) throw new InvalidValue(`${field} has no value`);
      return [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
}

function outputOf(values: ReadonlyMap<string, string>): OutputOption {
  const boolean = (key: string, initial: boolean) => {
    const text = values.get(key);
    return text === undefined ? initial : parseBoolean(text);
  };
  const type = oneOf(...TYPES)(values.get("type") ?? "");
  const word = oneOf(...Object.keys(compressions))(values.get("compression") ?? "gzip");
  const compression = compressions[word] ?? "gzip";
  const destination = values.get("dest");
  if (destination === undefined && (type === "local" || type === "oci" || type === "tar")) {
    throw new InvalidValue(`type=${type} needs dest=`);
  }
  if (destination !== undefined && (type === "image" || type === "registry")) {
    throw new InvalidValue(`type=${type} has no dest=; name= says what it is called`);
  }
  const name = values.get("name");
  const media = values.get("oci-mediatypes");
  return {
    type,
    destination,
    names: name === undefined || name === "" ? [] : name.split(","),
    pushes: type === "registry" || boolean("push", false),
    isArchive: boolean("tar", true),
    compression,
    level: levelOf(values.get("compression-level"), compression),
    mediaTypes: media === undefined ? undefined : parseBoolean(media) ? "oci" : "docker",
    rewritesTimes: boolean("rewrite-timestamp", true),
  };
}
