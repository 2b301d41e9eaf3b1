/*
 * The layers of an image on their way, on a terminal: one line each, redrawn ten times a second.
 *
 *   3f5a8c1e2b7d: Downloading [=========>                ]  12.3MB/45.6MB  8.1MB/s  4s left
 *
 * Only lines of layers that something happens to are redrawn. One that is done is written a last time, above them, and
 * scrolls away with everything else; so there may be more layers than the terminal has lines.
 */
import { humanSize } from "../format/human-size.ts";

const REDRAW_INTERVAL = 100;
const BAR_WIDTH = 25;
/** Milliseconds over which the speed is taken. */
const SPEED_WINDOW = 3000;

/** A layer on its way. */
interface Line {
  readonly id: string;
  readonly size: number;
  received: number;
  state: "waiting" | "moving" | "extracting";
  /** How much there was at which moment, the oldest first. */
  readonly samples: { readonly time: number; readonly bytes: number }[];
}

/** A terminal, as far as it is needed. */
export interface ProgressTerminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

/** Draws the progress of layers. */
export class LayerProgress implements Disposable {
  readonly #terminal: ProgressTerminal;
  readonly #moving: string;
  readonly #now: () => number;
  readonly #lines = new Map<string, Line>();
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  #lastDrawn = Number.NEGATIVE_INFINITY;

  /**
   * @param settings.moving what is being done to a layer that is on its way; `Downloading` unless given
   * @param settings.now milliseconds
   */
  constructor(terminal: ProgressTerminal, settings: { readonly moving?: string; readonly now?: () => number } = {}) {
    this.#terminal = terminal;
    this.#moving = settings.moving ?? "Downloading";
    this.#now = settings.now ?? (() => performance.now());
    this.#timer = setInterval(() => this.#redraw(), REDRAW_INTERVAL);
    // It is no reason to stay.
    this.#timer.unref();
  }

  /** Adds a layer that waits. */
  add(id: string, size: number): void {
    this.#lines.set(id, { id, size, received: 0, state: "waiting", samples: [] });
    this.#redrawSoon();
  }

  /** More of a layer has arrived; less than nothing when some has to come again. */
  receive(id: string, bytes: number): void {
    const line = this.#lines.get(id);
    if (line === undefined) return;
    if (line.state === "waiting") line.state = "moving";
    line.received += bytes;
    const time = this.#now();
    const newest = line.samples.at(-1);
    // A few samples each second are enough.
    if (newest === undefined || time - newest.time >= REDRAW_INTERVAL)
      line.samples.push({ time, bytes: line.received });
    while ((line.samples[0]?.time ?? time) < time - SPEED_WINDOW) line.samples.shift();
    this.#redrawSoon();
  }

  /** A layer has arrived whole. */
  extract(id: string): void {
    const line = this.#lines.get(id);
    if (line !== undefined) line.state = "extracting";
    this.#redrawSoon();
  }

  /** Nothing more happens to a layer. */
  finish(id: string, message: string): void {
    if (this.#lines.delete(id)) this.print(`${id}: ${message}`);
  }

  /** Writes a line that stays. */
  print(text: string): void {
    this.#terminal.write(`${this.#eraseText()}${text}\n`);
    this.#drawn = 0;
    this.#redraw();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#terminal.write(this.#eraseText());
    this.#drawn = 0;
  }

  #redrawSoon(): void {
    if (this.#now() - this.#lastDrawn >= REDRAW_INTERVAL) this.#redraw();
  }

  #redraw(): void {
    // The first line is to be seen at once, however shortly before there was nothing.
    if (this.#lines.size === 0 && this.#drawn === 0) return;
    this.#lastDrawn = this.#now();
    const room = Math.max(1, this.#terminal.rows - 1);
    const active = [...this.#lines.values()].filter(({ state }) => state !== "waiting");
    const waiting = [...this.#lines.values()].filter(({ state }) => state === "waiting");
    const shown = [...active, ...waiting].slice(0, room);
    const text = shown.map((line) => `${this.#describe(line).slice(0, this.#terminal.columns - 1)}\n`).join("");
    this.#terminal.write(this.#eraseText() + text);
    this.#drawn = shown.length;
  }

  #eraseText(): string {
    // To the first line that was drawn, and everything from there on away.
    return this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r\x1b[J`;
  }

  #describe({ id, size, received, state, samples }: Line): string {
    if (state === "waiting") return `${id}: Waiting`;
    if (state === "extracting") return `${id}: Extracting  ${humanSize(size)}`;
    const filled = size === 0 ? BAR_WIDTH : Math.floor((BAR_WIDTH * Math.min(received, size)) / size);
    const bar = `${"=".repeat(Math.max(0, filled - 1))}${filled > 0 ? ">" : ""}`.padEnd(BAR_WIDTH);
    return `${id}: ${this.#moving} [${bar}]  ${humanSize(received)}/${humanSize(size)}${this.#describeSpeed(samples, size - received)}`;
  }

  #describeSpeed(samples: Line["samples"], left: number): string {
    const [first] = samples;
    const last = samples.at(-1);
    if (first === undefined || last === undefined || last.bytes === first.bytes) return "";
    // Up to now and not to the last sample: the speed of what stands still goes down.
    const speed = (last.bytes - first.bytes) / ((this.#now() - first.time) / 1000);
    return `  ${humanSize(Math.round(speed))}/s  ${describeDuration(left / speed)} left`;
  }
}

function describeDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}
