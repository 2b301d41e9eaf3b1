import { isGone, type UpperEntry } from "../../image/layers/upper-directory.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { directoryEntries } from "../../sys/directory-entries.ts";
import { openAt, statusAt, statusOf } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import { checkCopy, copyError } from "./copy-error.ts";
import type { Location } from "./locate.ts";

const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/** What a walk comes by in a special way. */
interface Exceptions {
  /** A directory that must not be met: the one that is being copied to. */
  readonly forbidden: FileStatus | undefined;
  /** Directories below that are given without what is in them. */
  readonly closed: readonly FileStatus[];
}

/**
 * Walks through a file, or a directory with all that is in it, without following links; what has gone meanwhile is left
 * out. A directory comes before its content.
 * @param name what it is called in the paths of the entries; empty leaves a directory itself without a name
 * @throws BunkerError `copy_failed`
 */
export function* treeEntries(
  { parent, base, status }: Location,
  name: ByteString,
  exceptions: Exceptions,
): Generator<UpperEntry, void, undefined> {
  if (status === undefined) return;
  // Who asks for such a directory itself gets what is in it.
  const closed = exceptions.closed.filter((directory) => !isSame(directory, status));
  yield* fileAndContent(parent.number, base, name, status, { ...exceptions, closed });
}

function isSame(one: FileStatus, other: FileStatus): boolean {
  return one.inode === other.inode && one.fileSystem === other.fileSystem;
}

function* fileAndContent(
  parent: number,
  base: ByteString,
  path: ByteString,
  status: FileStatus,
  exceptions: Exceptions,
): Generator<UpperEntry, void, undefined> {
  const { forbidden, closed } = exceptions;
  const common = { path, lower: undefined, hidden: undefined };
  if (!isType(status, FileMode.directory)) {
    yield { kind: "other", parent, base, status, ...common };
    return;
  }
  const opened = openAt(parent, base, DIRECTORY_FLAGS);
  if (isGone(opened)) return;
  using directory = new FileDescriptor(checkCopy(opened, "open the directory", path));
  const own = statusOf(directory.number);
  if (typeof own === "number") return;
  if (forbidden !== undefined && isSame(own, forbidden)) {
    throw copyError({ operation: "copy", object: `/${path}`, reason: "a directory cannot be copied into itself" });
  }
  yield { kind: "directory", parent: directory.number, base: "." as ByteString, status: own, ...common };
  if (closed.some((directory) => isSame(own, directory))) return;
  const names = [...directoryEntries(directory.number)].map((entry) => entry.name).sort();
  for (const inside of names) {
    const found = statusAt(directory.number, inside);
    const insidePath = (path === "" ? inside : `${path}/${inside}`) as ByteString;
    if (typeof found !== "number") yield* fileAndContent(directory.number, inside, insidePath, found, exceptions);
    else if (!isGone(found)) checkCopy(found, "read the status of", insidePath);
  }
}
