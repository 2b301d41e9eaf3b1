/*
 * What several layers together change of those that they lie on, as one layer that shows the same. Of a name it is not asked
 * how it came about: what the upper layers have comes from them, and what the layers below have and all together do not
 * show is whited out, name by name. So no directory has to be opaque, and files that came and went in between leave
 * nothing. It costs as much as there are changes, and the names in the directories that they are in.
 */
import type { ByteString } from "../../sys/byte-string.ts";
import { statusOf } from "../../sys/file.ts";
import { FileMode, isType } from "../../sys/stat.ts";
import { LowerDirectory } from "./lower-directory.ts";
import type { UpperEntry } from "./upper-directory.ts";
import { WHITEOUT_PREFIX } from "./whiteout.ts";

/** One directory: as the upper layers have it, as the lower ones have it, and as all together show it. */
interface Squashed {
  readonly own: LowerDirectory;
  readonly below: LowerDirectory;
  readonly all: LowerDirectory;
}

/**
 * Walks through the changes of several layers, in the form and order of `upperEntries`.
 * @param upper,lower descriptors of the directories of layers, the uppermost first; stay the caller's
 * @throws BunkerError `system_call_failed`
 */
export function* squashedEntries(
  upper: readonly number[],
  lower: readonly number[],
): Generator<UpperEntry, void, undefined> {
  using own = LowerDirectory.root(upper);
  using below = LowerDirectory.root(lower);
  using all = LowerDirectory.root([...upper, ...lower]);
  yield* directoryAndContent({ own, below, all }, "" as ByteString);
}

function* directoryAndContent({ own, below, all }: Squashed, path: ByteString): Generator<UpperEntry, void, undefined> {
  const directory = own.uppermost();
  const status = directory === undefined ? undefined : statusOf(directory);
  if (directory === undefined || status === undefined || typeof status === "number") return;
  const hidden = undefined;
  yield { kind: "directory", path, parent: directory, base: "." as ByteString, status, lower: below.status(), hidden };
  const shown = all.names();
  const gone = [...below.names()].filter((name) => !shown.has(name));
  const names = [
    ...[...own.names()].map((name) => ({ name, key: name as string, isGone: false })),
    ...gone.map((name) => ({ name, key: WHITEOUT_PREFIX + name, isGone: true })),
  ];
  for (const { name, isGone } of names.sort((one, other) => (one.key < other.key ? -1 : 1))) {
    const inside = (path === "" ? name : `${path}/${name}`) as ByteString;
    const lower = below.find(name);
    if (isGone) {
      yield { kind: "whiteout", path: inside, parent: directory, base: name, status, lower, hidden };
      continue;
    }
    const found = own.locate(name);
    if (found === undefined) continue;
    if (isType(found.status, FileMode.directory)) {
      using ownChild = own.open(name);
      using belowChild = below.open(name);
      using allChild = all.open(name);
      yield* directoryAndContent({ own: ownChild, below: belowChild, all: allChild }, inside);
    } else {
      yield { kind: "other", path: inside, parent: found.parent, base: name, status: found.status, lower, hidden };
    }
  }
}
