import { StringDecoder } from "node:string_decoder";

/** Lines that are kept for the case that the step fails. */
const KEPT_LINES = 100;
/** Bytes of a line without an end, after which it is shown as it is. */
const LONGEST_LINE = 64 << 10;

/** A line of a step's output. */
export interface LogLine {
  /** Milliseconds since the step began. */
  readonly time: number;
  readonly stream: 1 | 2;
  readonly text: string;
}

/** Makes lines of a step's output, and keeps the last of them. */
export class StepLog {
  readonly #kept: LogLine[] = [];
  readonly #unfinished = {
    1: { decoder: new StringDecoder("utf8"), text: "" },
    2: { decoder: new StringDecoder("utf8"), text: "" },
  };

  /** @returns the lines that are complete now */
  add(stream: 1 | 2, bytes: Uint8Array, time: number): readonly LogLine[] {
    const unfinished = this.#unfinished[stream];
    const pieces = (unfinished.text + unfinished.decoder.write(Buffer.from(bytes))).split("\n");
    unfinished.text = pieces.pop() ?? "";
    if (unfinished.text.length > LONGEST_LINE) {
      pieces.push(unfinished.text);
      unfinished.text = "";
    }
    return this.#keep(pieces.map((text) => ({ time, stream, text: text.replace(/\r$/, "") })));
  }

  /** @returns what was not followed by the end of a line */
  finish(time: number): readonly LogLine[] {
    const rest = ([1, 2] as const).flatMap((stream) => {
      const { decoder, text } = this.#unfinished[stream];
      const last = text + decoder.end();
      this.#unfinished[stream].text = "";
      return last === "" ? [] : [{ time, stream, text: last }];
    });
    return this.#keep(rest);
  }

  /** The last lines, also one that is not finished. */
  tail(count: number): readonly LogLine[] {
    const unfinished = ([1, 2] as const).flatMap((stream) => {
      const { text } = this.#unfinished[stream];
      return text === "" ? [] : [{ time: 0, stream, text }];
    });
    return [...this.#kept, ...unfinished].slice(-count);
  }

  /** All that is kept. */
  kept(): readonly LogLine[] {
    return this.#kept;
  }

  #keep(lines: readonly LogLine[]): readonly LogLine[] {
    this.#kept.push(...lines);
    if (this.#kept.length > KEPT_LINES) this.#kept.splice(0, this.#kept.length - KEPT_LINES);
    return lines;
  }
}

/** A time in seconds, as BuildKit writes it before lines: `0.123`. */
export function lineTime(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3);
}
