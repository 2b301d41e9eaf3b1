import { type ByteString, encodeText } from "./byte-string.ts";
import { directoryEntries } from "./directory-entries.ts";
import { Errno } from "./errno.ts";
import { changeOwnerAt, openAt, statusAt } from "./file.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "./open.ts";
import { FileMode, isType } from "./stat.ts";
import { check } from "./system-call.ts";

const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/**
 * Gives a file or directory and everything in it to another owner. Symbolic links are given away themselves and never
 * followed; each name is looked at relative to its open directory. What goes meanwhile does not count.
 * @returns how many files the caller may not give away
 * @throws BunkerError `system_call_failed`, with EINVAL for an id that the present user namespace does not have
 */
export function changeTreeOwner(path: string, uid: number, gid: number): number {
  return change(AT_FDCWD, encodeText(path), uid, gid, path);
}

function change(parent: number, name: ByteString, uid: number, gid: number, shown: string): number {
  const status = statusAt(parent, name);
  if (typeof status === "number") {
    if (status !== -Errno.ENOENT) check(status, "read the status of", shown);
    return 0;
  }
  let refused = 0;
  // What has this owner keeps its time of change, and its set-id bits.
  if (status.uid !== uid || status.gid !== gid) {
    const result = changeOwnerAt(parent, name, uid, gid);
    if (result === -Errno.EPERM) refused++;
    else if (result !== -Errno.ENOENT) check(result, "change the owner of", shown);
  }
  if (!isType(status, FileMode.directory)) return refused;
  const opened = openAt(parent, name, DIRECTORY_FLAGS);
  if (opened === -Errno.ENOENT || opened === -Errno.ENOTDIR || opened === -Errno.ELOOP) return refused;
  if (opened === -Errno.EACCES) return refused;
  using directory = new FileDescriptor(check(opened, "open the directory", shown));
  for (const entry of directoryEntries(directory.number)) {
    refused += change(directory.number, entry.name, uid, gid, `${shown}/${entry.name}`);
  }
  return refused;
}
