/* A DNS message on its way over a connection: two bytes of length come before it (RFC 1035 section 4.2.2). */
import { Errno } from "../../sys/errno.ts";
import { receive, send } from "../../sys/internet-socket.ts";
import { type FramePool, NO_SLOT } from "../frame-pool.ts";
import type { Place } from "./asking.ts";

const LENGTH_SIZE = 2;

/** One message, in a slot that it has while it is read or written; see the head of this file. */
export class FramedMessage {
  readonly #pool: FramePool;
  readonly #slot: number;
  /** How much has been read, or written. */
  #done = 0;

  private constructor(pool: FramePool, slot: number) {
    this.#pool = pool;
    this.#slot = slot;
  }

  /** One that is still to be read; undefined without memory. */
  static make(pool: FramePool): FramedMessage | undefined {
    const slot = pool.allocate();
    return slot === NO_SLOT ? undefined : new FramedMessage(pool, slot);
  }

  /** The message without its length. */
  get place(): Place {
    const offset = this.#pool.offsetOf(this.#slot);
    return { start: offset + LENGTH_SIZE, length: this.#pool.view.getUint16(offset) };
  }

  /** Says that there is another message now, which is to be written. */
  replace(length: number): void {
    this.#pool.view.setUint16(this.#pool.offsetOf(this.#slot), length);
    this.#done = 0;
  }

  /** Says that what was read, or written once, is to be written. */
  rewind(): void {
    this.#done = 0;
  }

  /** Reads on, and nothing of the next message; `end` when no more comes. */
  read(socket: number): "whole" | "partial" | "end" {
    for (;;) {
      const wanted = this.#done < LENGTH_SIZE ? LENGTH_SIZE : LENGTH_SIZE + this.place.length;
      if (this.#done === wanted) return "whole";
      const address = this.#pool.memory.address + this.#pool.offsetOf(this.#slot) + this.#done;
      const length = receive(socket, address, wanted - this.#done);
      if (length === -Errno.EAGAIN || length === -Errno.EINTR) return "partial";
      if (length <= 0) return "end";
      this.#done += length;
    }
  }

  /** Writes on; `end` when nobody takes it any more. */
  write(socket: number): "whole" | "partial" | "end" {
    const size = LENGTH_SIZE + this.place.length;
    while (this.#done < size) {
      const address = this.#pool.memory.address + this.#pool.offsetOf(this.#slot) + this.#done;
      const length = send(socket, address, size - this.#done);
      if (length === -Errno.EAGAIN || length === -Errno.EINTR) return "partial";
      if (length < 0) return "end";
      this.#done += length;
    }
    return "whole";
  }

  free(): void {
    this.#pool.free(this.#slot);
  }
}
