import * as v from "valibot";
import type { CacheDestination, CacheSource } from "../../../build/remote-cache/cache-place.ts";
import { digestSchema } from "../../../image/digest.ts";
import type { Compression } from "../../../image/layers/decompress.ts";
import { formatReference, parseReference, withDefaultTag } from "../../../image/reference.ts";
import { nearestName } from "../../../nearest-name.ts";
import { BunkerError } from "../../../sys/error.ts";
import { InvalidValue } from "../../invalid-value.ts";
import { parseBoolean } from "../../option.ts";
import { oneOf } from "../../values/choice.ts";
import { compressions, levelOf } from "../../values/compression.ts";
import { optionFields } from "./output-option.ts";

const SERVICES: readonly string[] = ["gha", "s3", "azblob"];
const PACKING = [
  ...["mode", "compression", "compression-level", "force-compression"],
  ...["oci-mediatypes", "image-manifest", "ignore-error"],
];

/**
 * Reads a value of `--cache-from`: `type=registry,ref=NAME` or `type=local,src=DIRECTORY`, or names of images alone.
 * @throws InvalidValue
 */
export function parseCacheSource(text: string): readonly CacheSource[] {
  if (!text.includes("=")) return text.split(",").map((name) => ({ type: "registry", name: nameOf(name) }));
  const values = fieldsOf(text, { registry: ["ref"], local: ["src", "tag", "digest"] });
  if (values.get("type") === "registry") return [{ type: "registry", name: nameOf(required(values, "ref")) }];
  const digest = values.get("digest");
  return [
    {
      type: "local",
      directory: required(values, "src"),
      tag: values.get("tag") ?? "latest",
      digest: digest === undefined ? undefined : parseDigest(digest),
    },
  ];
}

/**
 * Reads a value of `--cache-to`: `type=registry,ref=NAME`, `type=local,dest=DIRECTORY`, `type=inline`, or the name of an
 * image alone.
 * @throws InvalidValue
 */
export function parseCacheDestination(text: string): CacheDestination {
  const whole = text.includes("=") ? text : `type=registry,ref=${text}`;
  const values = fieldsOf(whole, {
    registry: ["ref", ...PACKING],
    local: ["dest", "tag", ...PACKING],
    inline: ["mode"],
  });
  const type = values.get("type");
  const boolean = (key: string, initial: boolean) => {
    const value = values.get(key);
    return value === undefined ? initial : parseBoolean(value);
  };
  const mode = oneOf("min", "max")(values.get("mode") ?? "min");
  if (type === "inline") {
    if (mode === "max") throw new InvalidValue("a cache inside the image has mode=min; give type=registry for max");
    return { type };
  }
  const compression: Compression =
    compressions[oneOf(...Object.keys(compressions))(values.get("compression") ?? "gzip")] ?? "gzip";
  const mediaTypes: "oci" | "docker" = boolean("oci-mediatypes", true) ? "oci" : "docker";
  const isImage = boolean("image-manifest", mediaTypes === "oci");
  if (isImage && mediaTypes === "docker") throw new InvalidValue("image-manifest=true needs oci-mediatypes=true");
  const packing = {
    ...{ mode, compression, level: levelOf(values.get("compression-level"), compression), mediaTypes, isImage },
    forcesCompression: boolean("force-compression", false),
    ignoresErrors: boolean("ignore-error", false),
  } as const;
  return type === "registry"
    ? { type, name: nameOf(required(values, "ref")), ...packing }
    : { type: "local", directory: required(values, "dest"), tag: values.get("tag") ?? "latest", ...packing };
}

/** @param keys of each type, beside `type` itself */
function fieldsOf(text: string, keys: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, string> {
  const values = optionFields(text);
  const type = values.get("type");
  if (type === undefined) throw new InvalidValue("the type is missing");
  if (SERVICES.includes(type)) {
    throw new InvalidValue(
      `Bunker keeps no cache in ${type}; give type=registry, or type=local and have the directory kept`,
    );
  }
  const known = ["type", ...(keys[oneOf(...Object.keys(keys))(type)] ?? [])];
  for (const key of values.keys()) {
    if (known.includes(key)) continue;
    const nearest = nearestName(key, known);
    const meant = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    throw new InvalidValue(`type=${type} has no key ${JSON.stringify(key)}${meant}`);
  }
  return values;
}

function required(values: ReadonlyMap<string, string>, key: string): string {
  const value = values.get(key);
  if (value === undefined || value === "") throw new InvalidValue(`type=${values.get("type")} needs ${key}=`);
  return value;
}

function nameOf(text: string): string {
  try {
    return formatReference(withDefaultTag(parseReference(text)));
  } catch (error) {
    throw error instanceof BunkerError ? new InvalidValue(error.message) : error;
  }
}

function parseDigest(text: string) {
  const parsed = v.safeParse(digestSchema, text);
  if (parsed.success) return parsed.output;
  throw new InvalidValue("expected a digest, sha256: and 64 hexadecimal digits");
}
