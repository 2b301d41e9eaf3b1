/** What a container has changed, as a list; `docker diff`. */
import type { ByteString } from "../../sys/byte-string.ts";
import { type FileStatus, hasSameOwnerAndMode } from "../../sys/stat.ts";
import type { UpperEntry } from "./upper-directory.ts";

/** A name that was added, changed or deleted; the path is absolute. */
export interface Change {
  readonly kind: "added" | "changed" | "deleted";
  readonly path: ByteString;
}

/**
 * Lists the changes of a writable layer, sorted by path. A directory has changed when its own owner, mode or time has,
 * or something in it; the root is not listed.
 * @param entries of its directory, as `upperEntries` finds them
 */
export async function listChanges(entries: Iterable<UpperEntry> | AsyncIterable<UpperEntry>): Promise<Change[]> {
  const changes = new Map<ByteString, Change["kind"]>();
  const untouched = new Set<ByteString>();
  const add = (path: ByteString, kind: Change["kind"]) => {
    changes.set(path, kind);
    // Directories come before their content: these are looked at again once something in them has changed.
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const above = path.slice(0, slash) as ByteString;
      if (untouched.delete(above)) changes.set(above, "changed");
    }
  };
  for await (const { kind, path, status, lower: below, hidden } of entries) {
    for (const name of hidden ?? []) add((path === "" ? name : `${path}/${name}`) as ByteString, "deleted");
    if (path === "") continue;
    if (kind === "whiteout") {
      if (below !== undefined) add(path, "deleted");
    } else if (below === undefined) {
      // An opaque directory may have a name again that it hides.
      add(path, changes.get(path) === "deleted" ? "changed" : "added");
    } else if (kind === "directory" && isSameDirectory(status, below)) {
      untouched.add(path);
    } else {
      add(path, "changed");
    }
  }
  return [...changes]
    .map(([path, kind]) => ({ kind, path: `/${path}` as ByteString }))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
}

function isSameDirectory(one: FileStatus, other: FileStatus): boolean {
  return (
    hasSameOwnerAndMode(one, other) &&
    one.modified.seconds === other.modified.seconds &&
    one.modified.nanoseconds === other.modified.nanoseconds
  );
}
