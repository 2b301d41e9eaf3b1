import type { ByteString } from "../../sys/byte-string.ts";
import type { Loss } from "./entry-attributes.ts";
import type { UpperEntry } from "./upper-directory.ts";
import { WHITEOUT_PREFIX } from "./whiteout.ts";

/**
 * Leaves out what a layer cannot have: a file whose own name begins as a mark of deletion does would be taken for one, and
 * delete what is below.
 * @param entries a directory before its content
 * @param lose is told of what is left out
 */
export function* expressibleEntries(entries: Iterable<UpperEntry>, lose: Loss): Generator<UpperEntry, void, undefined> {
  let leftOut: string | undefined;
  for (const entry of entries) {
    if (leftOut !== undefined && entry.path.startsWith(leftOut)) continue;
    leftOut = undefined;
    if (entry.kind === "whiteout" || !baseOf(entry.path).startsWith(WHITEOUT_PREFIX)) {
      yield entry;
      continue;
    }
    lose(`in a layer, a name that begins with "${WHITEOUT_PREFIX}" means a deletion; it is left out`, entry.path);
    if (entry.kind === "directory") leftOut = `${entry.path}/`;
  }
}

function baseOf(path: ByteString): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
