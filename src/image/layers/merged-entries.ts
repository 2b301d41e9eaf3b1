/*
 * All files of a container, as its writable layer and the layers below show them together: what overlay would show, read
 * without mounting anything. So it can be read while the container runs and changes it: another mount of a writable layer
 * in use shows nobody knows what. What has gone meanwhile is left out. Names are in the order of their bytes.
 */
import type { ByteString } from "../../sys/byte-string.ts";
import { statusOf } from "../../sys/file.ts";
import { FileMode, isType } from "../../sys/stat.ts";
import { LowerDirectory } from "./lower-directory.ts";
import type { UpperEntry } from "./upper-directory.ts";

/**
 * Walks through the tree that layers show; a directory comes before its content.
 * @param layers descriptors of their directories, the uppermost first; stay the caller's
 * @throws BunkerError `system_call_failed`
 */
export function* mergedEntries(layers: readonly number[]): Generator<UpperEntry, void, undefined> {
  using root = LowerDirectory.root(layers);
  yield* entriesBelow(root);
}

/** The same for a directory of them, with paths that begin in it. */
export function* entriesBelow(directory: LowerDirectory): Generator<UpperEntry, void, undefined> {
  yield* directoryAndContent(directory, "" as ByteString);
}

function* directoryAndContent(directory: LowerDirectory, path: ByteString): Generator<UpperEntry, void, undefined> {
  const own = directory.uppermost();
  const status = own === undefined ? undefined : statusOf(own);
  if (own === undefined || status === undefined || typeof status === "number") return;
  const common = { lower: undefined, hidden: undefined };
  yield { kind: "directory", path, parent: own, base: "." as ByteString, status, ...common };
  for (const name of [...directory.names()].sort()) {
    const found = directory.locate(name);
    if (found === undefined) continue;
    const inside = (path === "" ? name : `${path}/${name}`) as ByteString;
    if (isType(found.status, FileMode.directory)) {
      using child = directory.open(name);
      yield* directoryAndContent(child, inside);
    } else {
      yield { kind: "other", path: inside, parent: found.parent, base: name, status: found.status, ...common };
    }
  }
}
