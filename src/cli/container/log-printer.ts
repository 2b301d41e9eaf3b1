import { writeSync } from "node:fs";
import type { LogRecord } from "../../engine/log/log-query.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";

const BATCH_SIZE = 1 << 18;
const STREAMS = {
  stdout: { descriptor: 1, name: "standard output" },
  stderr: { descriptor: 2, name: "standard error" },
} as const;

type Stream = (typeof STREAMS)[keyof typeof STREAMS];

/** Writes records to standard output and standard error, many at a time. */
export class LogPrinter {
  readonly #withTime: boolean;
  readonly #withDetails: boolean;
  readonly #head: string;
  readonly #batch = Buffer.allocUnsafe(BATCH_SIZE);
  #length = 0;
  #stream: LogRecord["stream"] = "stdout";

  /** @param head what each record begins with */
  constructor({ timestamps, details }: { readonly timestamps: boolean; readonly details: boolean }, head: string) {
    this.#withTime = timestamps;
    this.#withDetails = details;
    this.#head = head;
  }

  add({ stream, time, bytes }: LogRecord): void {
    const prefix = `${this.#head}${this.#withTime ? `${time} ` : ""}${this.#withDetails ? " " : ""}`;
    if (stream !== this.#stream || this.#length + prefix.length + bytes.length > BATCH_SIZE) this.flush();
    this.#stream = stream;
    if (prefix.length + bytes.length > BATCH_SIZE) {
      writeAll(STREAMS[stream], Buffer.concat([Buffer.from(prefix), bytes]));
      return;
    }
    this.#length += this.#batch.write(prefix, this.#length, "latin1");
    this.#length += bytes.copy(this.#batch, this.#length);
  }

  flush(): void {
    writeAll(STREAMS[this.#stream], this.#batch.subarray(0, this.#length));
    this.#length = 0;
  }
}

/** @throws BunkerError `write_failed` */
function writeAll(stream: Stream, bytes: Buffer): void {
  for (let start = 0; start < bytes.length; ) start += writeSome(stream, bytes, start);
}

/** Somebody may have made our output non-blocking. */
function writeSome({ descriptor, name }: Stream, bytes: Buffer, start: number): number {
  try {
    return writeSync(descriptor, bytes, start);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== Errno.EAGAIN) throw errno === Errno.EPIPE ? error : writeFailure(name, errno, error);
    Bun.sleepSync(1);
    return 0;
  }
}

function writeFailure(object: string, errno: number | undefined, cause: unknown): BunkerError {
  return new BunkerError({ code: "write_failed", operation: "write to", object, errno }, { cause });
}
