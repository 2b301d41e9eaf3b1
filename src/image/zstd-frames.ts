/*
 * Where the frames of a zstd stream end (RFC 8878). The decompressor of Bun is content with a stream that stops in the
 * middle: what was decompressed until then could be half of an archive, and end where an archive may end. So the frames
 * are followed beside it, by their headers and those of their blocks; what is in a block is passed over.
 */

const MAGIC = 0xfd2fb528;
/** Frames that are to be skipped have one of sixteen. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAGIC_SIZE = 4;
const BLOCK_HEADER_SIZE = 3;
const CHECKSUM_SIZE = 4;
const DICTIONARY_ID_SIZES = [0, 1, 2, 4];
const CONTENT_SIZE_SIZES = [0, 2, 4, 8];

/** What the next bytes are. */
type Part = "magic" | "size to skip" | "descriptor" | "block header" | "no frame";

/** That the bytes are not what the format says. */
class DamagedZstd extends Error {
  readonly code = "ZSTD_DAMAGED";
}

/** Follows the frames of one stream. */
export class ZstdFrames {
  #part: Part = "magic";
  /** Bytes of the part so far, and how many it has. */
  readonly #bytes = Buffer.alloc(MAGIC_SIZE);
  #filled = 0;
  #size = MAGIC_SIZE;
  /** Bytes to be passed over before the part. */
  #skipped = 0;
  #hasChecksum = false;

  /** Takes the next bytes. */
  feed(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.#part !== "no frame"; ) {
      if (this.#skipped > 0) {
        const passed = Math.min(this.#skipped, bytes.length - at);
        this.#skipped -= passed;
        at += passed;
        continue;
      }
      const taken = bytes.copy(this.#bytes, this.#filled, at, Math.min(bytes.length, at + this.#size - this.#filled));
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#size) this.#endPart();
    }
  }

  /**
   * Says that there are no more bytes.
   * @throws DamagedZstd in the middle of a frame, or when what follows one is none
   */
  finish(): void {
    if (this.#part === "no frame") throw new DamagedZstd("what follows a frame is none");
    const isBetween = this.#part === "magic" && this.#filled === 0 && this.#skipped === 0;
    if (!isBetween) throw new DamagedZstd("it ends in the middle of a frame");
  }

  #endPart(): void {
    switch (this.#part) {
      case "magic": {
        const magic = this.#bytes.readUInt32LE();
        if (magic === MAGIC) this.#begin("descriptor", 1);
        else if ((magic & ~0xf) === SKIPPABLE_MAGIC) this.#begin("size to skip", MAGIC_SIZE);
        else this.#part = "no frame";
        break;
      }
      case "size to skip":
        this.#begin("magic", MAGIC_SIZE, this.#bytes.readUInt32LE());
        break;
      case "descriptor": {
        const descriptor = this.#bytes.readUInt8();
        const isSingleSegment = (descriptor & 0x20) !== 0;
        this.#hasChecksum = (descriptor & 4) !== 0;
        const contentSize = CONTENT_SIZE_SIZES[descriptor >> 6] ?? 0;
        const dictionaryId = DICTIONARY_ID_SIZES[descriptor & 3] ?? 0;
        // Either the size of the window has its byte, or that of the content has one at least.
        const window = isSingleSegment && contentSize > 0 ? 0 : 1;
        this.#begin("block header", BLOCK_HEADER_SIZE, window + dictionaryId + contentSize);
        break;
      }
      case "block header": {
        const header = this.#bytes.readUIntLE(0, BLOCK_HEADER_SIZE);
        const isLast = (header & 1) !== 0;
        // A run is one byte, however long it is.
        const isRun = ((header >> 1) & 3) === 1;
        const size = isRun ? 1 : header >> 3;
        if (isLast) this.#begin("magic", MAGIC_SIZE, size + (this.#hasChecksum ? CHECKSUM_SIZE : 0));
        else this.#begin("block header", BLOCK_HEADER_SIZE, size);
        break;
      }
    }
  }

  #begin(part: Part, size: number, skipped = 0): void {
    this.#part = part;
    this.#size = size;
    this.#filled = 0;
    this.#skipped = skipped;
  }
}
