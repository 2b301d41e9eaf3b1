/*
 * A tar archive as a stream: `feed` takes pieces of any length, and the receiver is told of every entry, of its data
 * piece by piece as it passes by, and of its end. Nothing but headers is kept, and those are bounded.
 *
 * The reader is a state machine over what the next bytes are: a header block, the content of an extension header (pax
 * `x` and `g`, GNU `L` and `K`), a block of the map of a file with holes, data of a file, or bytes to be skipped
 * (padding, and what nobody wants). Extension headers are kept until the entry that they describe.
 *
 * Judged here is only whether the archive is well-formed. Names pass through as they are.
 */
import { type ByteString, byteStringOf } from "../../sys/byte-string.ts";
import { withoutSlowestCompiler } from "../../sys/without-slowest-compiler.ts";
import { type EntryHeaders, readEntryHeaders } from "./entry-headers.ts";
import { type PaxRecord, parsePaxRecords } from "./pax-records.ts";
import { checkSegments, readOldSegments, type Segment, TextMap } from "./sparse-map.ts";
import type { TarEntry } from "./tar-entry.ts";
import { archiveError } from "./tar-error.ts";
import { BLOCK_SIZE, HeaderField, hasValidChecksum, isZeroBlock, readUnsigned, typeFlag } from "./tar-header.ts";

/** Who is told of the content of an archive. */
export interface TarReceiver {
  /**
   * An entry begins. Its data and its end are reported before the next one.
   * @param stored bytes of data in the archive, fewer than a file's size where it has holes
   * @param segments where in the file they belong, one after the other
   */
  entry(entry: TarEntry, stored: number, segments: readonly Segment[]): void;
  /** Bytes `start` to `end` of `chunk` belong at `offset` of the entry's file; in ascending order. */
  data(chunk: Buffer, start: number, end: number, offset: number): void;
  /** The entry of the last call of `entry` is complete. */
  end(): void;
}

/** Longest content of an extension header, and of all global ones together. An attribute may have 64 KiB. */
const MAXIMUM_EXTENSION_SIZE = 1 << 20;

type State = "header" | "extension" | "old-map" | "text-map" | "data" | "skip" | "finished";

/** The file whose data is being read. */
interface File {
  readonly entry: TarEntry;
  readonly segments: Segment[];
  /** Bytes of data in the archive, without a map. */
  stored: number;
  /** The segment that the next byte belongs to, and how many of its bytes have passed. */
  index: number;
  passed: number;
}

export class TarReader {
  readonly #receiver: TarReceiver;
  #state: State = "header";
  /** Bytes until the state ends, and bytes of padding after them; of no meaning while blocks are read. */
  #left = 0;
  #padding = 0;
  #position = 0;
  /** A block that does not arrive in one piece. */
  readonly #block = Buffer.from(new ArrayBuffer(BLOCK_SIZE));
  #blockFilled = 0;
  #zeroBlocks = 0;
  #extensionType = "";
  #extension = Buffer.alloc(0);
  #globalRecords: readonly PaxRecord[] = [];
  #records: readonly PaxRecord[] | undefined;
  #longName: ByteString | undefined;
  #longLinkName: ByteString | undefined;
  #file: File | undefined;
  #textMap: TextMap | undefined;

  constructor(receiver: TarReceiver) {
    this.#receiver = receiver;
    // Called for every header and every piece of data.
    withoutSlowestCompiler(
      TarReader,
      this.#take,
      this.#takeBlock,
      this.#takeContent,
      this.#handleBlock,
      this.#handleHeader,
      this.#beginEntry,
      this.#beginData,
      this.#reportData,
      this.#endFile,
      this.#beginContent,
      this.#skipContent,
      this.#skipPadding,
    );
  }

  /** Bytes from the beginning of the archive to where the next call of a receiver's method or of `feed` stands. */
  get position(): number {
    return this.#position;
  }

  /**
   * Takes the next bytes of the archive.
   * @param chunk not kept beyond the call
   * @throws BunkerError `archive_invalid`, and whatever the receiver throws
   */
  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const taken = this.#take(chunk, at);
      at += taken;
    }
  }

  /**
   * Leaves out the rest of the current entry's data and its padding, for an archive that can be read at any place.
   * @returns bytes; the next `feed` begins that much further on
   */
  skip(): number {
    let skipped = 0;
    if (this.#state === "data") {
      skipped += this.#left;
      this.#left = 0;
      this.#endFile();
    }
    if (this.#state === "skip") {
      skipped += this.#left;
      this.#state = "header";
    }
    this.#position += skipped;
    return skipped;
  }

  /**
   * Says that there are no more bytes.
   * @throws BunkerError `archive_invalid` when the archive stops in the middle of something
   */
  finish(): void {
    // That the two blocks of zeros at the end are missing is common and harmless.
    const betweenEntries = this.#state === "header" && this.#blockFilled === 0 && !this.#hasExtension();
    if (!betweenEntries && this.#state !== "finished") throw archiveError("it is truncated", this.#file?.entry.name);
  }

  /** Handles bytes from `at` on; returns how many. */
  #take(chunk: Buffer, at: number): number {
    const rest = chunk.length - at;
    switch (this.#state) {
      case "header":
      case "old-map":
      case "text-map":
        return this.#takeBlock(chunk, at);
      case "finished":
        this.#position += rest;
        return rest;
      default: {
        const taken = Math.min(this.#left, rest);
        this.#position += taken;
        this.#left -= taken;
        this.#takeContent(chunk, at, at + taken);
        return taken;
      }
    }
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#blockFilled === 0 && chunk.length - at >= BLOCK_SIZE) {
      this.#position += BLOCK_SIZE;
      this.#handleBlock(chunk.subarray(at, at + BLOCK_SIZE));
      return BLOCK_SIZE;
    }
    const taken = chunk.copy(this.#block, this.#blockFilled, at);
    this.#position += taken;
    this.#blockFilled += taken;
    if (this.#blockFilled === BLOCK_SIZE) {
      this.#blockFilled = 0;
      this.#handleBlock(this.#block);
    }
    return taken;
  }

  #takeContent(chunk: Buffer, start: number, end: number): void {
    if (this.#state === "extension") {
      chunk.copy(this.#extension, this.#extension.length - this.#left - (end - start), start, end);
      if (this.#left === 0) this.#endExtension();
    } else if (this.#state === "data") {
      this.#reportData(chunk, start, end);
      if (this.#left === 0) this.#endFile();
    } else if (this.#left === 0) {
      this.#state = "header";
    }
  }

  #handleBlock(block: Buffer): void {
    if (this.#state === "old-map") this.#handleOldMap(block);
    else if (this.#state === "text-map") this.#handleTextMap(block);
    else if (isZeroBlock(block)) this.#handleZeroBlock();
    else this.#handleHeader(block);
  }

  #handleZeroBlock(): void {
    if (this.#hasExtension()) throw archiveError("it ends between an extension header and its entry");
    this.#zeroBlocks++;
    if (this.#zeroBlocks === 2) this.#state = "finished";
  }

  #handleHeader(block: Buffer): void {
    this.#zeroBlocks = 0;
    if (!hasValidChecksum(block)) throw archiveError("the checksum of a header is wrong");
    const flag = typeFlag(block);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") {
      const size = readUnsigned(block, HeaderField.size);
      if (size > MAXIMUM_EXTENSION_SIZE) throw archiveError("an extension header is longer than 1 MiB");
      this.#extensionType = flag;
      this.#extension = Buffer.allocUnsafe(size);
      this.#beginContent("extension", size);
      if (size === 0) this.#endExtension();
    } else if (flag === "V") {
      // The label of a GNU volume.
      this.#skipContent(readUnsigned(block, HeaderField.size));
    } else {
      const own = this.#records ?? [];
      const records = this.#globalRecords.length === 0 ? own : [...this.#globalRecords, ...own];
      const headers = readEntryHeaders(block, { records, longName: this.#longName, longLinkName: this.#longLinkName });
      this.#records = undefined;
      this.#longName = undefined;
      this.#longLinkName = undefined;
      this.#beginEntry(headers, block);
    }
  }

  #hasExtension(): boolean {
    return this.#records !== undefined || this.#longName !== undefined || this.#longLinkName !== undefined;
  }

  #endExtension(): void {
    const data = byteStringOf(this.#extension);
    if (this.#extensionType === "x") this.#records = parsePaxRecords(data);
    else if (this.#extensionType === "g") this.#addGlobalRecords(parsePaxRecords(data));
    else if (this.#extensionType === "L") this.#longName = untilNul(data);
    else this.#longLinkName = untilNul(data);
    this.#skipPadding();
  }

  /** Global records hold for all entries that follow, until another one of the same keyword. */
  #addGlobalRecords(records: readonly PaxRecord[]): void {
    const replaced = new Set(records.map(([keyword]) => keyword));
    this.#globalRecords = [...this.#globalRecords.filter(([keyword]) => !replaced.has(keyword)), ...records];
    const size = this.#globalRecords.reduce((sum, [keyword, value]) => sum + keyword.length + value.length, 0);
    if (size > MAXIMUM_EXTENSION_SIZE) throw archiveError("its global headers are longer than 1 MiB");
  }

  #beginEntry({ entry, stored, sparse }: EntryHeaders, block: Buffer): void {
    if (entry.type !== "file") {
      this.#receiver.entry(entry, stored, []);
      this.#receiver.end();
      this.#skipContent(stored);
      return;
    }
    const whole = sparse === undefined && stored > 0 ? [{ offset: 0, length: stored }] : [];
    const segments = typeof sparse === "object" ? [...sparse] : whole;
    this.#file = { entry, segments, stored, index: 0, passed: 0 };
    if (sparse === "old-map-follows") {
      this.#state = "old-map";
      if (!readOldSegments(block, "header", segments)) this.#beginData();
    } else if (sparse === "text-map-follows") {
      this.#state = "text-map";
      this.#textMap = new TextMap();
    } else {
      this.#beginData();
    }
  }

  #handleOldMap(block: Buffer): void {
    if (!readOldSegments(block, "extension", this.#currentFile().segments)) this.#beginData();
  }

  #handleTextMap(block: Buffer): void {
    const file = this.#currentFile();
    // The map counts as data of the entry.
    file.stored -= BLOCK_SIZE;
    if (file.stored < 0) throw archiveError("the map of a sparse file does not fit its data", file.entry.name);
    const segments = this.#textMap?.add(block);
    if (segments === undefined) return;
    this.#textMap = undefined;
    for (const segment of segments) file.segments.push(segment);
    this.#beginData();
  }

  #currentFile(): File {
    if (this.#file === undefined) throw new Error("no file is being read");
    return this.#file;
  }

  #beginData(): void {
    const { entry, segments, stored } = this.#currentFile();
    checkSegments(segments, entry.size, stored);
    this.#beginContent("data", stored);
    this.#receiver.entry(entry, stored, segments);
    if (stored === 0) this.#endFile();
  }

  /** Reports data, cut where the file has holes. */
  #reportData(chunk: Buffer, start: number, end: number): void {
    const file = this.#currentFile();
    while (start < end) {
      const segment = file.segments[file.index];
      if (segment === undefined) throw new Error("more data than segments");
      const length = Math.min(end - start, segment.length - file.passed);
      if (length > 0) this.#receiver.data(chunk, start, start + length, segment.offset + file.passed);
      start += length;
      file.passed += length;
      if (file.passed === segment.length) {
        file.index++;
        file.passed = 0;
      }
    }
  }

  #endFile(): void {
    this.#file = undefined;
    this.#receiver.end();
    this.#skipPadding();
  }

  /** Begins content of `size` bytes, and notes the padding that makes whole blocks of it. */
  #beginContent(state: State, size: number): void {
    this.#state = state;
    this.#left = size;
    this.#padding = (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE;
  }

  /** Begins content that nobody is told of. */
  #skipContent(size: number): void {
    this.#beginContent("skip", size);
    this.#left += this.#padding;
    if (this.#left === 0) this.#state = "header";
  }

  #skipPadding(): void {
    this.#left = this.#padding;
    this.#state = this.#left === 0 ? "header" : "skip";
  }
}

/** GNU long names end with a NUL. */
function untilNul(data: ByteString): ByteString {
  const nul = data.indexOf("\0");
  return nul < 0 ? data : (data.slice(0, nul) as ByteString);
}
