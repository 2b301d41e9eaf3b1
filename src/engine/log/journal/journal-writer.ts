/*
 * The log driver journald: each line of output becomes an entry of systemd's journal, with the fields that Docker gives
 * it. Entries go to journald as datagrams of its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): lines `KEY=value`,
 * and for text of any bytes the key alone, a line's end, the length in 8 bytes and the text. Lines of more than 16 KiB come
 * in pieces, all but the last marked by CONTAINER_PARTIAL_MESSAGE.
 *
 * When journald does not take an entry within a second, or is not there, the entry is lost, counted, and the next one is
 * tried anew: the container goes on.
 *
 * At the end the writer waits until journald has entered everything, so that whoever has been told of the container's end
 * finds its whole log. journald takes one datagram after the other, and does nothing with an empty one; when it has taken
 * that, it has done with those before. What of a socket's has not been taken says SIOCOUTQ.
 */
import { Errno } from "../../../sys/errno.ts";
import { BunkerError } from "../../../sys/error.ts";
import type { FileDescriptor } from "../../../sys/file-descriptor.ts";
import { setInteger64 } from "../../../sys/integer64.ts";
import { allocate } from "../../../sys/memory.ts";
import { statusIfThere } from "../../../sys/named-file.ts";
import { connectForDatagrams } from "../../../sys/socket.ts";
import { SystemCall, systemCall } from "../../../sys/system-call.ts";
import type { LogStream, LogWriter } from "../log-writer.ts";

/** Where journald listens; /run/systemd belongs to root. */
export const JOURNAL_SOCKET = "/run/systemd/journal/socket";

const LONGEST_PIECE = 16_384;
const BUFFER_SIZE = 32_768;
/** Of syslog(3): informational, and an error. */
const PRIORITY = { stdout: 6, stderr: 3 } as const;
const NEWLINE = 10;
const SIOCOUTQ = 0x5411;
/** Milliseconds. */
const LONGEST_SETTLING = 1000;
const MSG_NOSIGNAL = 0x4000;

/** Whose output it is. */
export interface JournalIdentity {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** What SYSLOG_IDENTIFIER is, with Docker's `{{.ID}}`, `{{.FullID}}`, `{{.Name}}` and `{{.ImageName}}`. */
  readonly tag: string;
}

/** @throws BunkerError `no_journal` when the host has none */
export function checkJournal(): void {
  if (statusIfThere(JOURNAL_SOCKET) !== undefined) return;
  throw new BunkerError({
    code: "no_journal",
    operation: "use the log driver journald",
    reason: `there is no journal of systemd's on this host: ${JOURNAL_SOCKET} is missing`,
    hint: "--log-driver json-file, the default, needs none.",
  });
}

/** Writes a container's output to the journal; see the head of this file. */
export class JournalWriter implements LogWriter {
  readonly #path: string;
  readonly #fields: Buffer;
  readonly #datagram = allocate(BUFFER_SIZE);
  /** The beginning of a line whose end has not come. */
  readonly #unfinished = new Map<LogStream, Buffer>();
  #socket: FileDescriptor | undefined;
  #lostBytes = 0;
  #errno: number | undefined;

  /** @param path of journald's socket */
  constructor(path: string, { id, name, image, tag }: JournalIdentity) {
    this.#path = path;
    const values: Readonly<Record<string, string>> = { ID: id.slice(0, 12), FullID: id, Name: name, ImageName: image };
    const filledTag = tag.replace(/\{\{\.(\w+)\}\}/g, (whole, field: string) => values[field] ?? whole);
    const fields = {
      CONTAINER_ID: id.slice(0, 12),
      CONTAINER_ID_FULL: id,
      CONTAINER_NAME: name,
      CONTAINER_TAG: filledTag,
      IMAGE_NAME: image,
      SYSLOG_IDENTIFIER: filledTag,
    };
    this.#fields = Buffer.from(
      Object.entries(fields)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(""),
    );
  }

  get lost(): LogWriter["lost"] {
    return { bytes: this.#lostBytes, errno: this.#errno };
  }

  write(stream: LogStream, bytes: Buffer): void {
    const held = this.#unfinished.get(stream);
    const all = held === undefined ? bytes : Buffer.concat([held, bytes]);
    let start = 0;
    for (let end = all.indexOf(NEWLINE); end >= 0; end = all.indexOf(NEWLINE, start)) {
      this.#line(stream, all.subarray(start, end));
      start = end + 1;
    }
    while (all.length - start > LONGEST_PIECE) {
      this.#send(stream, all.subarray(start, start + LONGEST_PIECE), true);
      start += LONGEST_PIECE;
    }
    if (start < all.length) this.#unfinished.set(stream, Buffer.from(all.subarray(start)));
    else this.#unfinished.delete(stream);
  }

  end(): void {
    for (const [stream, rest] of this.#unfinished) this.#line(stream, rest);
    this.#unfinished.clear();
    if (this.#socket !== undefined) this.#settle(this.#socket);
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Waits for journald; see the head of this file. */
  #settle({ number }: FileDescriptor): void {
    const { address, view } = this.#datagram;
    if (systemCall(SystemCall.sendto, number, address, 0, MSG_NOSIGNAL, 0, 0) < 0) return;
    for (let waited = 0; waited < LONGEST_SETTLING; waited++) {
      if (systemCall(SystemCall.ioctl, number, SIOCOUTQ, address) < 0 || view.getInt32(0, true) === 0) return;
      Bun.sleepSync(1);
    }
  }

  #line(stream: LogStream, line: Buffer): void {
    let start = 0;
    for (; line.length - start > LONGEST_PIECE; start += LONGEST_PIECE) {
      this.#send(stream, line.subarray(start, start + LONGEST_PIECE), true);
    }
    this.#send(stream, line.subarray(start), false);
  }

  #send(stream: LogStream, text: Buffer, isPartial: boolean): void {
    const { buffer, address, view } = this.#datagram;
    let length = this.#fields.copy(buffer);
    const partial = isPartial ? "CONTAINER_PARTIAL_MESSAGE=true\n" : "";
    length += buffer.write(`PRIORITY=${PRIORITY[stream]}\n${partial}MESSAGE\n`, length, "latin1");
    setInteger64(view, length, text.length);
    length += 8;
    length += text.copy(buffer, length);
    length += buffer.write("\n", length, "latin1");
    let result = this.#transmit(address, length);
    // journald was started again.
    if (result === -Errno.ECONNREFUSED || result === -Errno.ENOTCONN || result === -Errno.ECONNRESET) {
      this.#socket?.close();
      this.#socket = undefined;
      result = this.#transmit(address, length);
    }
    if (result >= 0) return;
    this.#lostBytes += text.length;
    this.#errno = -result;
  }

  #transmit(address: number, length: number): number {
    if (this.#socket === undefined) {
      const connected = connectForDatagrams(this.#path, 1);
      if (typeof connected === "number") return connected;
      this.#socket = connected;
    }
    for (;;) {
      const result = systemCall(SystemCall.sendto, this.#socket.number, address, length, MSG_NOSIGNAL, 0, 0);
      if (result !== -Errno.EINTR) return result;
    }
  }
}
