import { SystemCall, systemCall } from "./system-call.ts";

/**
 * An open file descriptor that closes itself at the end of a `using` block, at most once. The number is wrapped
 * because a bare one may be closed twice, and then the second close hits somebody else's file.
 */
export class FileDescriptor implements Disposable {
  #number: number;

  /** @param number an open descriptor, which this object owns from now on */
  constructor(number: number) {
    this.#number = number;
  }

  /** The descriptor's number; throws once it is closed or released. */
  get number(): number {
    if (this.#number < 0) throw new Error("file descriptor used after it was closed");
    return this.#number;
  }

  /** Whether it has been closed or released. */
  get isClosed(): boolean {
    return this.#number < 0;
  }

  /** Gives up ownership without closing. */
  release(): number {
    const { number } = this;
    this.#number = -1;
    return number;
  }

  /** Closes; later calls do nothing. */
  close(): void {
    if (this.#number >= 0) systemCall(SystemCall.close, this.release());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
