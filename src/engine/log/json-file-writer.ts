/*
 * The log of a container in the form of Docker's json-file driver: a line of JSON for each line of output.
 *
 *   {"log":"hello\n","stream":"stdout","time":"2026-01-31T12:00:00.123000001Z"}
 *
 * Lines of more than 16 KiB, their end counted, come in pieces, of which only the last one has a `\n`. Output is scanned byte by byte into
 * one buffer, through a table that says what has to be escaped; a line with bytes that are not ASCII is decoded and
 * escaped as text, so that what is no UTF-8 becomes U+FFFD. The buffer is written after each piece of output, and no
 * line of output waits in it; an unfinished line waits until it ends, as with Docker.
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
import { allocate, type Memory } from "../../sys/memory.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { LogConfiguration } from "../state/container-definition.ts";
import type { LogWriter, LogStream as Stream } from "./log-writer.ts";

const LONGEST_LINE = 16384;
const BUFFER_SIZE = 262144;
const NEWLINE = 10;
const HEAD = '{"log":"';
/** What a record takes at most besides its text. */
const ENVELOPE = 128;
const LONGEST_ESCAPE = 6;

/** For each byte: 0 to take it over, 1 to escape it, 2 when the line is not ASCII. Docker escapes <, > and & too. */
function byteClasses(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    const isPlain = byte >= 0x20 && byte < 0x7f && !'"\\<>&'.includes(String.fromCharCode(byte));
    return isPlain ? 0 : byte < 0x80 ? 1 : 2;
  });
}

function escaped(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(/[<>&\u007f\u2028\u2029]/g, (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    });
}

/** The name of a container's log in its directory. */
export function logFile(directory: string, id: string): string {
  return `${directory}/${id}-json.log`;
}

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
  // Made with the first output: containers that say nothing are many, and each has a supervisor.
  #output: Memory | undefined;
  #classes: Uint8Array = new Uint8Array(0);
  readonly #escapes: string[] = [];
  readonly #unfinished = new Map<Stream, Unfinished>();
  #length = 0;
  #file: FileDescriptor | undefined;
  #size = 0;
  #milliseconds = 0;
  #count = 0;
  #second = "";
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
    let start = 0;
    const unfinished = this.#unfinished.get(stream);
    while (start < bytes.length) {
      const held = unfinished?.length ?? 0;
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline < 0 ? bytes.length : newline + 1;
      const piece = Math.min(end, start + LONGEST_LINE - held);
      if (piece === end && newline < 0 && held + piece - start < LONGEST_LINE) {
        this.#hold(stream, bytes.subarray(start, piece));
        break;
      }
      if (unfinished !== undefined && held > 0) {
        bytes.copy(unfinished.bytes, held, start, piece);
        this.#record(stream, unfinished.bytes, 0, held + piece - start);
        unfinished.length = 0;
      } else {
        this.#record(stream, bytes, start, piece);
      }
      start = piece;
    }
    this.#flush();
  }

  /** Logs what has no line's end, because no more will come. */
  end(): void {
    for (const [stream, unfinished] of this.#unfinished) {
      if (unfinished.length > 0) this.#record(stream, unfinished.bytes, 0, unfinished.length);
      unfinished.length = 0;
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

  #record(stream: Stream, bytes: Buffer, start: number, end: number): void {
    const isFull = this.#length + (end - start) * LONGEST_ESCAPE + ENVELOPE > BUFFER_SIZE;
    if (isFull || this.#size + this.#length >= this.#maximumSize) this.#flush();
    if (this.#output === undefined) {
      this.#output = allocate(BUFFER_SIZE);
      this.#classes = byteClasses();
    }
    const output = this.#output.buffer;
    const classes = this.#classes;
    const escapes = this.#escapes;
    const before = this.#length;
    let position = before + output.write(HEAD, before, "latin1");
    let isText = false;
    for (let index = start; index < end; index++) {
      const byte = bytes[index] as number;
      const kind = classes[byte];
      if (kind === 0) output[position++] = byte;
      else if (kind === 1) {
        escapes[byte] ??= escaped(String.fromCharCode(byte));
        position += output.write(escapes[byte], position, "latin1");
      } else {
        isText = true;
        break;
      }
    }
    if (isText) {
      position = before + HEAD.length;
      position += output.write(escaped(bytes.toString("utf8", start, end)), position, "utf8");
    }
    position += output.write(`","stream":"${stream}","time":"${this.#now()}"}\n`, position, "latin1");
    this.#length = position;
  }

  /** RFC 3339 with nanoseconds: the milliseconds are the clock's, the rest tells the records of one millisecond apart. */
  #now(): string {
    const milliseconds = Date.now();
    if (milliseconds !== this.#milliseconds) {
      this.#milliseconds = milliseconds;
      this.#count = 0;
      this.#second = new Date(milliseconds).toISOString().slice(0, -1);
    }
    const count = Math.min(this.#count++, 999_999);
    return `${this.#second}${String(count).padStart(6, "0")}Z`;
  }

  #flush(): void {
    const length = this.#length;
    this.#length = 0;
    if (length === 0 || this.#output === undefined) return;
    const result = this.#append(this.#output.address, length);
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
