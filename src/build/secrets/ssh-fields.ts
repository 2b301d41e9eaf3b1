/** The data types of SSH's protocols; RFC 4251, section 5. Numbers are big-endian, a `string` has its length before it. */

/** Writes a `string`. */
export function sshString(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Writes a number that is not negative, of the bytes of its value, as an `mpint`. */
export function sshNumber(value: Buffer): Buffer {
  let start = 0;
  while (start < value.length && value[start] === 0) start++;
  const bytes = value.subarray(start);
  const needsSign = ((bytes[0] ?? 0) & 0x80) !== 0;
  return sshString(needsSign ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** Reads one field after the other. */
export class SshFields {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @throws RangeError when less is left */
  take(length: number): Buffer {
    const end = this.#position + length;
    if (end > this.#bytes.length) throw new RangeError("it ends too early");
    const bytes = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return bytes;
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.take(this.uint32());
  }
}
