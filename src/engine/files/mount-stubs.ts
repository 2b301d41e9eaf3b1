/*
 * What a container's start leaves in its writable layer although nothing of the container has made it: to mount something,
 * there has to be a file or directory to mount it on, and where the image has none, one is made (`/etc/hosts`, the target
 * of a volume), with the directories above it; the lowest of those that were there gets a new time. None of that is a
 * change of the container.
 */
import { LowerDirectory } from "../../image/layers/lower-directory.ts";
import type { UpperEntry } from "../../image/layers/upper-directory.ts";
import { type ByteString, encodeText } from "../../sys/byte-string.ts";
import { FileMode, hasSameOwnerAndMode, isType } from "../../sys/stat.ts";

/**
 * Leaves out what was made to be mounted on, and directories that are among the changes only because of it.
 * @param entries a directory before its content
 * @param mountPoints where something is mounted while the container runs, relative to its root
 * @param lower descriptors of the directories of the layers below, the uppermost first; stay the caller's
 * @throws BunkerError `system_call_failed`
 */
export function* withoutMountStubs(
  entries: Iterable<UpperEntry>,
  mountPoints: readonly string[],
  lower: readonly number[],
): Generator<UpperEntry, void, undefined> {
  const stubs = new Set(mountPoints.map(encodeText).filter((path) => !isInLayers(path, lower)));
  const above = new Set([...stubs].flatMap(directoriesAbove));
  // Directories in each other whose content decides whether they have changed; they stay open while it is walked.
  let undecided: UpperEntry[] = [];
  for (const entry of entries) {
    undecided = undecided.filter(({ path }) => entry.path.startsWith(`${path}/`));
    if (stubs.has(entry.path) && isEmpty(entry)) continue;
    if (above.has(entry.path) && mayBeUnchanged(entry)) {
      undecided.push(entry);
    } else {
      yield* undecided;
      undecided = [];
      yield entry;
    }
  }
}

function isInLayers(path: ByteString, lower: readonly number[]): boolean {
  using cleanup = new DisposableStack();
  const names = path.split("/") as ByteString[];
  const last = names.pop();
  let directory = cleanup.use(LowerDirectory.root(lower));
  for (const name of names) directory = cleanup.use(directory.open(name));
  return last === undefined || directory.find(last) !== undefined;
}

/** Without the root, which is no change by itself. */
function directoriesAbove(path: ByteString): ByteString[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("/") as ByteString);
}

/** A file with something in it was written there while nothing was mounted on it. */
function isEmpty({ kind, status }: UpperEntry): boolean {
  return kind === "directory" || (isType(status, FileMode.regular) && status.size === 0);
}

/** Whether a directory has only a new time, or is itself new, and so was made on the way to a stub. */
function mayBeUnchanged({ kind, status, lower, hidden }: UpperEntry): boolean {
  return kind === "directory" && hidden === undefined && (lower === undefined || hasSameOwnerAndMode(status, lower));
}
