import { DamagedXz } from "./damaged-xz.ts";
import type { Filter } from "./filter.ts";

/** Bytes that were written as their difference to one a fixed distance before: sounds and pictures. Section 5.3.3. */
export class DeltaFilter implements Filter {
  readonly #distance: number;
  /** The last bytes, as many as the distance, in a ring. */
  readonly #last: Uint8Array;
  #place = 0;

  /** @throws DamagedXz for properties that none may have */
  constructor(properties: Buffer) {
    if (properties.length !== 1) throw new DamagedXz("the delta filter has properties that it may not have");
    this.#distance = properties.readUInt8(0) + 1;
    this.#last = new Uint8Array(this.#distance);
  }

  update(bytes: Buffer): Buffer {
    for (let at = 0; at < bytes.length; at++) {
      const byte = ((bytes[at] ?? 0) + (this.#last[this.#place] ?? 0)) & 0xff;
      bytes[at] = byte;
      this.#last[this.#place] = byte;
      this.#place = (this.#place + 1) % this.#distance;
    }
    return bytes;
  }

  finish(): Buffer {
    return Buffer.alloc(0);
  }
}
