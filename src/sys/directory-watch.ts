import type { ByteString } from "./byte-string.ts";
import { Errno } from "./errno.ts";
import { BunkerError } from "./error.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate } from "./memory.ts";
import { SystemCall, systemCall } from "./system-call.ts";

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

  /** @throws BunkerError `watch_failed`, with EMFILE or ENOSPC when the user has as many as the host permits */
  constructor(path: ByteString) {
    const result = systemCall(SystemCall.inotify_init1, IN_NONBLOCK | IN_CLOEXEC);
    if (result < 0) throw watchFailed(path, -result);
    this.descriptor = new FileDescriptor(result);
    const name = allocate(path.length + 1);
    name.buffer.write(path, 0, "latin1");
    const events = IN_MODIFY | IN_CREATE | IN_MOVED_TO;
    const added = systemCall(SystemCall.inotify_add_watch, this.descriptor.number, name.address, events);
    if (added >= 0) return;
    this.descriptor.close();
    throw watchFailed(path, -added);
  }

  /** Takes note of what has happened so far, so that the descriptor is no longer readable. */
  acknowledge(): void {
    while (systemCall(SystemCall.read, this.descriptor.number, this.#buffer.address, BUFFER_SIZE) > 0);
  }

  [Symbol.dispose](): void {
    this.descriptor.close();
  }
}

function watchFailed(path: ByteString, errno: number): BunkerError {
  const isUsedUp = errno === Errno.EMFILE || errno === Errno.ENOSPC;
  return new BunkerError({
    code: "watch_failed",
    operation: "watch the directory",
    object: path,
    errno,
    reason: isUsedUp ? "this user has as many inotify instances or watches as the host permits" : undefined,
    hint: isUsedUp ? "bunker doctor tells how many, and how an administrator permits more." : undefined,
  });
}
