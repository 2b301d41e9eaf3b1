/*
 * The log of a container in the form of Docker's json-file driver: a line of JSON for each line of output (json-records.ts).
 *
 * Lines of more than 16 KiB, their end counted, come in pieces, of which only the last one has a `\n`. Records are
 * written after each piece of output, and no line of output waits; an unfinished line waits until it ends, as with Docker.
 *
 * A log that cannot be written (a full disk) does not stop the container. What could be written of a record is taken
 * back, so that a reader never sees half of one, the bytes that were lost are counted, and the next output is tried anew.
 *
 * At `maximumSize` the file gets the suffix .1, the one that had it .2, and so on up to `maximumFiles`; a child of ours
 * compresses what was put aside.
 */
import { encodeText } from "../../sys/byte-string.ts";
import { openAt, renameAt, setSize, statusOf, unlinkAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { LogConfiguration } from "../state/container-definition.ts";
import { JsonRecords, PIECE_SIZE } from "./json-records.ts";
import { LONGEST_LINE } from "./line-code/line-work.ts";
import type { LogWriter, LogStream as Stream } from "./log-writer.ts";

const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);

/** The part of a line that has no end yet. */
interface Unfinished {
  readonly bytes: Buffer;
  length: number;
}

/** Writes a container's log; see the head of this file. */
export class JsonFileWriter implements LogWriter {
  readonly #path: string;
  readonly #configuration: LogConfiguration;
  readonly #maximumSize: number;
  readonly #compress: (path: string) => () => void;
  /** Waits for the compression that may still be going on. */
  #compressed: () => void = () => {};
  /** Made with the first output: containers that say nothing are many, and each has a supervisor. */
  #records: JsonRecords | undefined;
  readonly #unfinished = new Map<Stream, Unfinished>();
  #file: FileDescriptor | undefined;
  #size = 0;
  #lostBytes = 0;
  #error: number | undefined;

  /**
   * @param path of the log; made at the first output
   * @param compress is told of a file that was put aside, and replaces it by one that has the suffix .gz;
   * returns a function that waits until that is done
   */
  constructor(path: string, configuration: LogConfiguration, compress: (path: string) => () => void) {
    this.#path = path;
    this.#configuration = configuration;
    this.#compress = compress;
    this.#maximumSize = configuration.maximumSize ?? Number.POSITIVE_INFINITY;
  }

  /** How many bytes of output could not be written, and the errno of the last failure. */
  get lost(): { readonly bytes: number; readonly errno: number | undefined } {
    return { bytes: this.#lostBytes, errno: this.#error };
  }

  /** Logs a piece of a stream's output. */
  write(stream: Stream, bytes: Buffer): void {
    for (let start = 0; start < bytes.length; start += PIECE_SIZE) {
      this.#writePiece(stream, bytes.subarray(start, start + PIECE_SIZE));
    }
  }

  #writePiece(stream: Stream, bytes: Buffer): void {
    const records = this.#begin(stream, bytes);
    let start = this.#finishLine(records, stream, bytes);
    while (start < bytes.length) {
      this.#makeRoom(records);
      const left = records.addLines(start, this.#maximumSize - this.#size);
      if (left === start) {
        const end = Math.min(bytes.length, start + LONGEST_LINE);
        const before = records.length;
        const stop = records.addLine(bytes, start, end);
        if (stop - start < LONGEST_LINE && bytes[stop - 1] !== NEWLINE) {
          records.cut(before);
          this.#hold(stream, bytes.subarray(start));
          break;
        }
        start = stop;
      } else start = left;
    }
    this.#flush();
  }

  /** Logs what has no line's end, because no more will come. */
  end(): void {
    for (const [stream, unfinished] of this.#unfinished) {
      this.#recordUnfinished(this.#begin(stream, NOTHING), unfinished);
    }
    this.#flush();
    this.#file?.close();
    this.#file = undefined;
  }

  #hold(stream: Stream, bytes: Buffer): void {
    let unfinished = this.#unfinished.get(stream);
    if (unfinished === undefined) {
      unfinished = { bytes: Buffer.from(new ArrayBuffer(LONGEST_LINE)), length: 0 };
      this.#unfinished.set(stream, unfinished);
    }
    unfinished.length += bytes.copy(unfinished.bytes, unfinished.length);
  }

  #begin(stream: Stream, bytes: Buffer): JsonRecords {
    this.#records ??= new JsonRecords();
    this.#records.begin(stream, bytes);
    return this.#records;
  }

  /** Goes on with the line that waits for its end. Returns where the next one begins. */
  #finishLine(records: JsonRecords, stream: Stream, bytes: Buffer): number {
    const unfinished = this.#unfinished.get(stream);
    if (unfinished === undefined || unfinished.length === 0) return 0;
    const newline = bytes.subarray(0, LONGEST_LINE - unfinished.length).indexOf(NEWLINE);
    const added = newline < 0 ? Math.min(bytes.length, LONGEST_LINE - unfinished.length) : newline + 1;
    this.#hold(stream, bytes.subarray(0, added));
    if (newline >= 0 || unfinished.length === LONGEST_LINE) this.#recordUnfinished(records, unfinished);
    return added;
  }

  #recordUnfinished(records: JsonRecords, unfinished: Unfinished): void {
    if (unfinished.length === 0) return;
    this.#makeRoom(records);
    records.addLine(unfinished.bytes, 0, unfinished.length);
    unfinished.length = 0;
  }

  #makeRoom(records: JsonRecords): void {
    if (!records.hasRoom || this.#size + records.length >= this.#maximumSize) this.#flush();
  }

  #flush(): void {
    const records = this.#records;
    if (records === undefined || records.length === 0) return;
    const { length } = records;
    records.cut(0);
    const result = this.#append(records.address, length);
    if (result === 0) {
      this.#size += length;
      return;
    }
    this.#lostBytes += length;
    this.#error = -result;
  }

  /** Writes to the file's end, all or nothing. Returns 0 or the negated error number. */
  #append(address: number, length: number): number {
    let file = this.#open();
    if (typeof file !== "number" && this.#size >= this.#maximumSize) {
      this.#rotate();
      file = this.#open();
    }
    if (typeof file === "number") return file;
    let written = 0;
    while (written < length) {
      const result = systemCall(SystemCall.write, file.number, address + written, length - written);
      if (result < 0) {
        setSize(file.number, this.#size);
        return result;
      }
      written += result;
    }
    return 0;
  }

  #open(): FileDescriptor | number {
    if (this.#file !== undefined) return this.#file;
    const { O_WRONLY, O_CREAT, O_APPEND, O_CLOEXEC } = OpenFlag;
    const opened = openAt(AT_FDCWD, encodeText(this.#path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600);
    if (opened < 0) return opened;
    const status = statusOf(opened);
    this.#size = typeof status === "number" ? 0 : status.size;
    this.#file = new FileDescriptor(opened);
    return this.#file;
  }

  #rotate(): void {
    const { maximumFiles, compress } = this.#configuration;
    this.#file?.close();
    this.#file = undefined;
    this.#size = 0;
    // It reads the file by the name that is about to become another's.
    this.#compressed();
    // What is not there is not moved, and not missed.
    for (const suffix of ["", ".gz"]) {
      unlinkAt(AT_FDCWD, encodeText(`${this.#path}.${maximumFiles - 1}${suffix}`));
      for (let number = maximumFiles - 2; number >= 1; number--) {
        rename(`${this.#path}.${number}${suffix}`, `${this.#path}.${number + 1}${suffix}`);
      }
    }
    if (maximumFiles === 1) {
      unlinkAt(AT_FDCWD, encodeText(this.#path));
      return;
    }
    rename(this.#path, `${this.#path}.1`);
    if (compress) this.#compressed = this.#compress(`${this.#path}.1`);
  }
}

function rename(from: string, to: string): void {
  renameAt(AT_FDCWD, encodeText(from), AT_FDCWD, encodeText(to));
}
