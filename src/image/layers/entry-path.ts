import type { ByteString } from "../../sys/byte-string.ts";
import { withoutSlowestCompiler } from "../../sys/without-slowest-compiler.ts";
import { refusedEntry } from "./unpack-error.ts";

/**
 * Brings the name of an entry into the form in which paths are compared here: relative to the layer's root, without
 * `.`, `..` and doubled or final slashes; empty for the root itself. Absolute names are taken relative to the root.
 * @throws BunkerError `layer_refused` for a name that climbs out of the root
 */
export function normalisePath(name: ByteString): ByteString {
  if (isNormal(name)) return name;
  const components: string[] = [];
  for (const component of name.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") components.push(component);
    else if (components.pop() === undefined) throw refusedEntry(name, "the name leads out of the root directory");
  }
  return components.join("/") as ByteString;
}

/** Whether there is nothing to be done; most names need at most their final slash taken off. */
function isNormal(name: ByteString): boolean {
  return name !== "" && !/^\/|\/$|\/\/|(?:^|\/)\.{1,2}(?:\/|$)/.test(name);
}

/** Takes a path apart into the directory (empty for the root) and the last component. */
export function splitPath(path: ByteString): readonly [directory: ByteString, base: ByteString] {
  const slash = path.lastIndexOf("/");
  return slash < 0
    ? ["" as ByteString, path]
    : [path.slice(0, slash) as ByteString, path.slice(slash + 1) as ByteString];
}

// Called for every entry of an archive.
withoutSlowestCompiler(splitPath);
