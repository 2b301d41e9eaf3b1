import { BunkerError } from "../../../sys/error.ts";
import { parseReference, type Reference } from "../../reference.ts";
import type { RegistriesFile } from "./registries-file.ts";

/**
 * The names that a user's name may stand for, in the order to try. A name with a registry stands for itself. For a
 * short one there is an alias of registries.conf, else each of its unqualified-search-registries, else, as Docker has
 * it, docker.io.
 * @throws BunkerError `invalid_reference`; `ambiguous_short_name` when several registries could be meant and
 *   short-name-mode is `enforcing`
 */
export function resolveShortName(file: RegistriesFile, text: string): readonly Reference[] {
  const reference = parseReference(text);
  if (hasRegistry(text)) return [reference];
  const [, name = "", suffix = ""] = /^([^:@]*)(.*)$/.exec(text) ?? [];
  const alias = file.aliases.get(name);
  if (alias !== undefined) return [parseReference(alias + suffix)];
  if (file.searchRegistries.length === 0) return [reference];
  if (file.shortNameMode === "enforcing" && file.searchRegistries.length > 1) {
    throw new BunkerError({
      code: "ambiguous_short_name",
      operation: "find the registry of",
      object: text,
      reason: "registries.conf names several to search",
      hint: `Write ${file.searchRegistries.map((registry) => `${registry}/${text}`).join(" or ")}.`,
    });
  }
  return file.searchRegistries.map((registry) => parseReference(`${registry}/${text}`));
}

/** As `parseReference` tells: whether what stands before the first slash could be a host. */
function hasRegistry(text: string): boolean {
  const [first = "", ...rest] = text.split("/");
  return rest.length > 0 && (/[.:A-Z]/.test(first) || first === "localhost");
}
