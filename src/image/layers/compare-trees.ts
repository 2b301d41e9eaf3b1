import type { ByteString } from "../../sys/byte-string.ts";
import type { TarEntry } from "../tar/tar-entry.ts";
import { splitPath } from "./entry-path.ts";
import type { FileEntry, FileTree } from "./layer-entries.ts";

/** What became of a path. */
export interface TreeChange {
  readonly kind: "added" | "changed" | "deleted";
  /** Absolute. */
  readonly path: ByteString;
}

/**
 * Compares two trees: type, content, owner, mode, times, attributes. A directory counts as changed, too, when anything
 * below it came, went or changed, and of a deleted directory only itself is named, both as in `docker diff`.
 * @returns the changes in the order of their paths
 */
export function compareTrees(before: FileTree, after: FileTree): TreeChange[] {
  const changes = new Map<ByteString, TreeChange["kind"]>();
  for (const [path, file] of after) {
    const old = before.get(path);
    if (old === undefined) changes.set(path, "added");
    else if (!isSame(old, file)) changes.set(path, "changed");
  }
  for (const path of before.keys()) {
    const [directory] = splitPath(path);
    if (!after.has(path) && (directory === "" || after.has(directory) || !before.has(directory))) {
      changes.set(path, "deleted");
    }
  }
  for (const path of [...changes.keys()]) {
    for (let [parent] = splitPath(path); parent !== ""; [parent] = splitPath(parent)) {
      if (before.has(parent) && after.has(parent) && !changes.has(parent)) changes.set(parent, "changed");
    }
  }
  return [...changes]
    .map(([path, kind]) => ({ kind, path: `/${path}` as ByteString }))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
}

function isSame(one: FileEntry, other: FileEntry): boolean {
  if (one === other) return true;
  return one.content === other.content && isSameEntry(one.entry, other.entry);
}

function isSameEntry(one: TarEntry, other: TarEntry): boolean {
  return (
    one.type === other.type &&
    one.mode === other.mode &&
    one.uid === other.uid &&
    one.gid === other.gid &&
    one.size === other.size &&
    one.linkName === other.linkName &&
    one.deviceMajor === other.deviceMajor &&
    one.deviceMinor === other.deviceMinor &&
    one.accessList === other.accessList &&
    one.defaultList === other.defaultList &&
    one.modified.seconds === other.modified.seconds &&
    one.modified.nanoseconds === other.modified.nanoseconds &&
    one.attributes.size === other.attributes.size &&
    [...one.attributes].every(([name, value]) => other.attributes.get(name) === value)
  );
}
