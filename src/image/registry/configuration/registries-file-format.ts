/*
 * The formats of one file of containers-registries.conf(5). Version 1, which is deprecated there, has lists of registries
 * only, and is read as what it means in version 2; a file is in one of them.
 */
import * as v from "valibot";

const place = v.pipe(
  v.string(),
  v.check((text) => !/^https?:\/\//i.test(text), "it is HOST[:PORT] or HOST[:PORT]/PATH, not a URL"),
);

const host = v.pipe(
  place,
  v.transform(trimSlashes),
  v.check((text) => text !== "" && !text.includes("/"), "it is HOST[:PORT]"),
);

const mirror = v.object({
  location: v.pipe(place, v.nonEmpty("a mirror needs a location")),
  insecure: v.optional(v.boolean(), false),
  "pull-from-mirror": v.optional(v.picklist(["all", "digest-only", "tag-only"]), "all"),
});

const registry = v.pipe(
  v.object({
    prefix: v.optional(place, ""),
    location: v.optional(place, ""),
    insecure: v.optional(v.boolean(), false),
    blocked: v.optional(v.boolean(), false),
    "mirror-by-digest-only": v.optional(v.boolean(), false),
    mirror: v.optional(v.array(mirror), []),
  }),
  v.check(({ prefix, location }) => prefix !== "" || location !== "", "a registry needs a prefix or a location"),
  v.check(
    ({ prefix }) => !prefix.includes("*") || /^\*\.[^*/]+$/.test(prefix),
    "only a prefix of the form *.example.com may have a wildcard",
  ),
);

const version2 = v.object({
  "unqualified-search-registries": v.optional(v.array(host)),
  "short-name-mode": v.optional(v.picklist(["", "enforcing", "permissive", "disabled"])),
  "credential-helpers": v.optional(v.array(v.pipe(v.string(), v.nonEmpty("a helper has a name")))),
  registry: v.optional(v.array(registry), []),
  aliases: v.optional(v.record(v.string(), v.string()), {}),
});

const prefix = v.pipe(place, v.transform(trimSlashes), v.nonEmpty("a registry has a name"));
const prefixList = v.optional(v.object({ registries: v.optional(v.array(prefix), []) }));

const version1 = v.object({
  registries: v.object({
    search: v.optional(v.object({ registries: v.optional(v.array(host), []) })),
    insecure: prefixList,
    block: prefixList,
  }),
});

/** What a file says, in version 2. */
export type RegistriesFileContent = v.InferOutput<typeof version2>;

/** A mistake: where in the file, unless it is about all of it, and what it is. */
export class RegistriesFileMistake extends Error {}

/**
 * Reads a file's content.
 * @param mayBeOld whether version 1 is allowed, which is not for what adds to another file
 * @throws RegistriesFileMistake
 */
export function parseRegistriesFile(text: string, mayBeOld: boolean): RegistriesFileContent {
  let value: unknown;
  try {
    value = Bun.TOML.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^TOML Parse error: /, "") : String(cause);
    throw new RegistriesFileMistake(reason, { cause });
  }
  const old = registriesOfVersion1(value);
  if (old.length === 0) return checked(version2, value);
  if (!mayBeOld) {
    throw new RegistriesFileMistake("it is in version 1 of its format, which only the main file may be in");
  }
  const { registries } = checked(version1, value);
  const [newer] = Object.keys(version2.entries).filter((key) => Object.hasOwn(Object(value), key));
  if (newer !== undefined) {
    throw new RegistriesFileMistake(`registries.${old[0]} is of version 1 of its format and ${newer} of version 2`);
  }
  const blocked = registries.block?.registries ?? [];
  const insecure = registries.insecure?.registries ?? [];
  return {
    "unqualified-search-registries": registries.search?.registries ?? [],
    registry: [...new Set([...blocked, ...insecure])].map((name) => ({
      prefix: name,
      location: name,
      insecure: insecure.includes(name),
      blocked: blocked.includes(name),
      "mirror-by-digest-only": false,
      mirror: [],
    })),
    aliases: {},
  };
}

/** The lists of version 1 that a file has; an empty table is none. */
function registriesOfVersion1(value: unknown): readonly string[] {
  const tables = v.safeParse(v.object({ registries: v.record(v.string(), v.record(v.string(), v.unknown())) }), value);
  if (!tables.success) return [];
  const { registries } = tables.output;
  return ["search", "insecure", "block"].filter((name) => registries[name]?.["registries"] !== undefined);
}

function checked<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const member = v.getDotPath(issue);
  throw new RegistriesFileMistake(member === null ? issue.message : `${member}: ${issue.message}`);
}

/** A name without slashes at its end. */
export function trimSlashes(text: string): string {
  return text.replace(/\/+$/, "");
}
