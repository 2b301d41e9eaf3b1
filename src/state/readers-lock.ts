import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { openFile } from "../sys/named-file.ts";
import { OpenFlag } from "../sys/open.ts";
import { lockRange, RecordLock } from "../sys/record-lock.ts";

/** The bytes that SQLite's readers lock, in every database; sqlite3's os.h, SHARED_FIRST. */
const READERS_LOCK = { start: 0x4000_0002, length: 510 };

/** The descriptors that hold the lock of a reader, by the path of their database, and for how many connections. */
const readersLocks = new Map<string, { readonly descriptor: FileDescriptor; connections: number }>();

/**
 * Locks a database as a reader does. A process has one descriptor for that, however many connections: closing any
 * descriptor of a file takes all record locks of the process on it away, also those of other connections.
 * @param path of the database
 * @returns gives the lock up
 * @throws BunkerError `system_call_failed`
 */
export function holdReadersLock(path: string): Disposable {
  let held = readersLocks.get(path);
  if (held === undefined) {
    held = { descriptor: openFile(path, OpenFlag.O_RDONLY | OpenFlag.O_NOFOLLOW), connections: 0 };
    readersLocks.set(path, held);
    // EAGAIN: one of the others is closing without this lock, having found nobody. Then the log is moved at the end.
    lockRange(held.descriptor.number, RecordLock.shared, READERS_LOCK.start, READERS_LOCK.length);
  }
  const { descriptor } = held;
  held.connections++;
  return {
    [Symbol.dispose]: () => {
      const left = readersLocks.get(path);
      if (left === undefined || --left.connections > 0) return;
      readersLocks.delete(path);
      descriptor.close();
    },
  };
}
