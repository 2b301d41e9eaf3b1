import { CallQueue } from "../../launch/call-queue.ts";
import type { Slot } from "../../launch/operation.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { BunkerError } from "../../sys/error.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { TarEntry } from "../tar/tar-entry.ts";
import { showName } from "../tar/tar-error.ts";
import { checkTarget } from "./layer-writer.ts";
import { checkEntry, checkOwner } from "./unpack-error.ts";

/** What a queued call is about. */
interface Subject {
  readonly path: ByteString;
  /** In the infinitive. */
  readonly operation: string;
  /** Whose the file was to be. */
  readonly owner?: TarEntry;
  /** What a hard link was to lead to. */
  readonly target?: ByteString;
}

/** What the slot of the open file holds when none is. */
export const NOT_OPEN = -1;

/**
 * The process that makes the files of layers, one layer after the other: the queue of its system calls, and the
 * descriptor of the file that data is being written to.
 */
export class FileMaker implements Disposable {
  readonly queue: CallQueue<Subject>;
  readonly file: Slot;

  /**
   * @param userNamespace descriptor of a user namespace whose root makes the files; undefined for a caller who is root
   * @throws BunkerError `launch_failed`
   */
  constructor(userNamespace: number | undefined) {
    this.queue = new CallQueue<Subject>(explain, userNamespace);
    this.file = this.queue.slot("file", NOT_OPEN);
  }

  /** Ends the process, and closes the file that a failure has left open. */
  [Symbol.dispose](): void {
    this.queue.stop();
    const descriptor = this.queue.read(this.file);
    if (descriptor !== NOT_OPEN) systemCall(SystemCall.close, descriptor);
    this.queue[Symbol.dispose]();
  }
}

/** The error that a call's failure means. */
function explain({ path, operation, owner, target }: Subject, result: number): unknown {
  try {
    if (target !== undefined) checkTarget(result, path, target);
    else if (owner !== undefined) checkOwner(result, path, owner.uid, owner.gid);
    else checkEntry(result, operation, path);
  } catch (error) {
    return error;
  }
  return new BunkerError({ code: "unpack_failed", operation, object: showName(path) });
}
