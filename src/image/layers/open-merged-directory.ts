import type { ByteString } from "../../sys/byte-string.ts";
import { readLinkAt } from "../../sys/file.ts";
import { FileMode, isType } from "../../sys/stat.ts";
import { LowerDirectory } from "./lower-directory.ts";

/** As the kernel has it, MAXSYMLINKS. */
const MOST_LINKS = 40;

/**
 * Opens the directory that layers show at a path, as a container would find it: symbolic links of one layer lead to files
 * of another, and never out of the root.
 * @param layers descriptors of their directories, the uppermost first; stay the caller's
 * @returns undefined when there is no directory
 * @throws BunkerError `system_call_failed`
 */
export function openMergedDirectory(layers: readonly number[], path: ByteString): LowerDirectory | undefined {
  using opened = new DisposableStack();
  const root = opened.use(LowerDirectory.root(layers));
  let way = [root];
  const components = path.split("/");
  for (let links = 0; components.length > 0; ) {
    const name = components.shift() as ByteString;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      way = way.length > 1 ? way.slice(0, -1) : way;
      continue;
    }
    const directory = way.at(-1) ?? root;
    const found = directory.locate(name);
    if (found === undefined) return undefined;
    if (isType(found.status, FileMode.directory)) {
      way.push(opened.use(directory.open(name)));
      continue;
    }
    const target = isType(found.status, FileMode.symbolicLink) ? readLinkAt(found.parent, name) : -1;
    if (typeof target === "number" || ++links > MOST_LINKS) return undefined;
    if (target.startsWith("/")) way = [root];
    components.unshift(...target.split("/"));
  }
  return (way.at(-1) ?? root).open("." as ByteString);
}
