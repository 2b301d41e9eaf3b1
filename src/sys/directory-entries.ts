import type { ByteString } from "./byte-string.ts";
import { Errno } from "./errno.ts";
import type { Memory } from "./memory.ts";
import { check, mapMemory, SystemCall, systemCall } from "./system-call.ts";

/** One name in a directory. */
export interface DirectoryEntry {
  readonly name: ByteString;
  /** What the file system says without a stat(2); `other` also where it does not say. */
  readonly type: "directory" | "other";
}

const BUFFER_SIZE = 65536;
const DT_DIR = 4;
// struct linux_dirent64: inode (8 bytes), offset (8), record length (2), type (1), the name, NUL.
const RECORD_LENGTH = 16;
const TYPE = 18;
const NAME = 19;

let memory: Memory | undefined;

/**
 * Reads the names in a directory without `.` and `..`, in batches of what getdents64(2) gives at once. A batch is
 * taken whole before its first entry is handed out, so entries may be removed and other directories be read meanwhile.
 * @param directory a descriptor opened for reading; its position moves
 * @throws BunkerError `system_call_failed`
 */
export function* directoryEntries(directory: number): Generator<DirectoryEntry, void, undefined> {
  for (;;) {
    const batch = nextEntries(directory);
    if (batch.length === 0) return;
    yield* batch;
  }
}

/**
 * The next entries of a directory; none at its end only. As `directoryEntries` otherwise.
 * @throws BunkerError `system_call_failed`
 */
export function nextEntries(directory: number): DirectoryEntry[] {
  memory ??= mapMemory(BUFFER_SIZE, "private");
  const { address } = memory;
  for (;;) {
    const result = systemCall(SystemCall.getdents64, directory, address, BUFFER_SIZE);
    // The directory itself has been removed meanwhile.
    const length = result === -Errno.ENOENT ? 0 : check(result, "read the entries of a directory");
    const entries = parseDirectoryEntries(memory, length);
    if (length === 0 || entries.length > 0) return entries;
  }
}

/**
 * The entries in what getdents64(2) has written, without `.` and `..`.
 * @param length what the call returned, in bytes
 */
export function parseDirectoryEntries({ buffer, view }: Memory, length: number): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at < length; at += view.getUint16(at + RECORD_LENGTH, true)) {
    const name = buffer.toString("latin1", at + NAME, buffer.indexOf(0, at + NAME)) as ByteString;
    if (name === "." || name === "..") continue;
    entries.push({ name, type: buffer[at + TYPE] === DT_DIR ? "directory" : "other" });
  }
  return entries;
}
