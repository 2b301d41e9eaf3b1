import type { ByteString } from "./byte-string.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

const IN_NONBLOCK = 0o4000;
const IN_CLOEXEC = 0o2000000;
const IN_MODIFY = 0x2;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const BUFFER_SIZE = 4096;

/** A descriptor that is readable when a file of a directory is written, made or moved to it; inotify(7). */
export class DirectoryWatch implements Disposable {
  readonly descriptor: FileDescriptor;
  readonly #buffer = allocate(BUFFER_SIZE);

  /** @throws BunkerError, EMFILE or ENOSPC when the user has as many watches as the host permits */
  constructor(path: ByteString) {
    const result = systemCall(SystemCall.inotify_init1, IN_NONBLOCK | IN_CLOEXEC);
    this.descriptor = new FileDescriptor(check(result, "make an inotify instance"));
    const name = allocate(path.length + 1);
    name.buffer.write(path, 0, "latin1");
    const events = IN_MODIFY | IN_CREATE | IN_MOVED_TO;
    try {
      check(systemCall(SystemCall.inotify_add_watch, this.descriptor.number, name.address, events), "watch", path);
    } catch (error) {
      this.descriptor.close();
      throw error;
    }
  }

  /** Takes note of what has happened so far, so that the descriptor is no longer readable. */
  acknowledge(): void {
    while (systemCall(SystemCall.read, this.descriptor.number, this.#buffer.address, BUFFER_SIZE) > 0);
  }

  [Symbol.dispose](): void {
    this.descriptor.close();
  }
}
