/*
 * What a RUN leaves although its command has not made it: to mount something, there has to be a file or directory to mount
 * it on, and where the image has none, the container's start makes one in the writable layer (`/proc`, `/etc/hosts`,
 * the target of a `--mount`), with the directories above it. Afterwards they are empty, and are taken away again, so that
 * the step's layer has what the command has changed and nothing else. A directory of the layers below that is in the
 * writable layer only because something was made in it is taken away as well: its time would otherwise be another.
 */
import { openSync } from "node:fs";
import { LowerDirectory } from "../../image/layers/lower-directory.ts";
import { OPAQUE_ATTRIBUTE, OPAQUE_VALUE } from "../../mount/overlay-attributes.ts";
import { type ByteString, encodeText } from "../../sys/byte-string.ts";
import { getAttribute, openAt, removeDirectoryAt, statusAt, unlinkAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { FileMode, hasSameOwnerAndMode, isType } from "../../sys/stat.ts";

const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/**
 * Takes away what was made to mount something on it.
 * @param upper the directory of the writable layer, which nobody has mounted any more
 * @param lower the directories of the layers below, the uppermost first
 * @param destinations absolute paths in the root file system on which something was mounted
 */
export function removeMountStubs(upper: string, lower: readonly string[], destinations: readonly string[]): void {
  using cleanup = new DisposableStack();
  const open = (path: string) =>
    cleanup.use(new FileDescriptor(openSync(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY))).number;
  const root = open(upper);
  const below = cleanup.use(LowerDirectory.root(lower.map(open)));
  // The deepest first, so that what they lie in is empty then.
  const paths = destinations
    .map((destination) => destination.split("/").filter((name) => name !== ""))
    .sort((one, other) => other.length - one.length);
  for (const path of paths) removeStub(root, below, path.map(encodeText));
}

function removeStub(upper: number, lower: LowerDirectory, [name, ...inside]: readonly ByteString[]): void {
  if (name === undefined) return;
  const status = statusAt(upper, name);
  if (typeof status === "number") return;
  const original = lower.find(name);
  if (!isType(status, FileMode.directory)) {
    if (inside.length === 0 && original === undefined && isType(status, FileMode.regular) && status.size === 0) {
      unlinkAt(upper, name);
    }
    return;
  }
  const opened = openAt(upper, name, DIRECTORY_FLAGS);
  if (opened < 0) return;
  using directory = new FileDescriptor(opened);
  using below = lower.open(name);
  removeStub(directory.number, below, inside);
  const hidesNothing =
    original === undefined ||
    (hasSameOwnerAndMode(status, original) && getAttribute(directory.number, OPAQUE_ATTRIBUTE) !== OPAQUE_VALUE);
  // Fails when there is something in it, as it should.
  if (hidesNothing) removeDirectoryAt(upper, name);
}
