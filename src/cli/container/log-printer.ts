import { writeSync } from "node:fs";
import type { LogRecord } from "../../engine/log/log-query.ts";

const BATCH_SIZE = 1 << 18;
const STREAM_NUMBER = { stdout: 1, stderr: 2 } as const;

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
      writeAll(STREAM_NUMBER[stream], Buffer.concat([Buffer.from(prefix), bytes]));
      return;
    }
    this.#length += this.#batch.write(prefix, this.#length, "latin1");
    this.#length += bytes.copy(this.#batch, this.#length);
  }

  flush(): void {
    writeAll(STREAM_NUMBER[this.#stream], this.#batch.subarray(0, this.#length));
    this.#length = 0;
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let start = 0; start < bytes.length; ) start += writeSome(descriptor, bytes, start);
}

/** Somebody may have made our output non-blocking. */
function writeSome(descriptor: number, bytes: Buffer, start: number): number {
  try {
    return writeSync(descriptor, bytes, start);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "EAGAIN") throw error;
    Bun.sleepSync(1);
    return 0;
  }
}
