/*
 * The progress of a build on a terminal, in the form of BuildKit's: one line for each vertex with its time, below one that
 * runs the last lines of its output, redrawn ten times a second in place.
 *
 *   [+] Building 1.2s (4/6)
 *    => [internal] load build definition from Dockerfile            0.0s
 *    => CACHED [2/4] RUN apt-get update                             0.0s
 *    => [3/4] RUN make                                              1.1s
 *    => => # cc -o program program.c
 *
 * No more lines are drawn than the terminal has; the first are left out then, since the last ones go on. Output of steps is
 * shown without its control characters, which would lead the cursor elsewhere.
 */
import type { BuildObserver, Vertex, VertexEnd } from "../../../build/progress.ts";
import type { ProgressTerminal } from "../../progress/layer-progress.ts";
import { failureText } from "./plain-progress.ts";
import { StepLog } from "./step-log.ts";

const REDRAW_INTERVAL = 100;
/** Lines of output that are shown of a step that runs. */
const OUTPUT_LINES = 6;
const BLUE = "\x1b[34m";
const RED = "\x1b[31m";
const YELLOW = "\x1b[33m";
const PLAIN = "\x1b[0m";

interface Shown {
  readonly begun: number;
  readonly log: StepLog;
  readonly statuses: Map<string, { readonly text: string; readonly begun: number; readonly ended: number | undefined }>;
  ended: number | undefined;
  end: VertexEnd | undefined;
}

/** A display that has an end. */
export type TerminalProgress = BuildObserver & Disposable;

/**
 * Makes the display; it is drawn a last time when it is disposed of.
 * @param now milliseconds
 */
export function terminalProgress(
  terminal: ProgressTerminal,
  now: () => number = () => performance.now(),
): TerminalProgress {
  const begun = now();
  const declared = new Set<Vertex>();
  const vertices = new Map<Vertex, Shown>();
  const failures: string[] = [];
  let drawn = 0;

  const draw = (isLast: boolean) => {
    const lines: string[] = [];
    const width = Math.max(20, terminal.columns - 1);
    const done = [...vertices.values()].filter(({ ended }) => ended !== undefined).length;
    const total = Math.max(declared.size, vertices.size);
    for (const [vertex, shown] of vertices) lines.push(...linesOf(vertex, shown, now(), width, isLast));
    const most = isLast ? lines.length : Math.max(1, terminal.rows - 2);
    const title = `[+] Building ${seconds(now() - begun)} (${done}/${isLast ? vertices.size : total})${isLast ? " FINISHED" : ""}`;
    const up = drawn === 0 ? "" : `\x1b[${drawn}A\r`;
    const shownLines = [title, ...lines.slice(-most)];
    const rest = Math.max(0, drawn - shownLines.length);
    terminal.write(
      `\x1b[?25l${up}${shownLines.map((line) => `${line}\x1b[K\n`).join("")}${"\x1b[K\n".repeat(rest)}${rest > 0 ? `\x1b[${rest}A` : ""}\x1b[?25h`,
    );
    drawn = shownLines.length;
  };
  const timer = setInterval(() => draw(false), REDRAW_INTERVAL);
  // It is no reason to stay.
  timer.unref();
  return {
    declare: (vertex) => void declared.add(vertex),
    event(vertex, event) {
      const shown = vertices.get(vertex) ?? {
        begun: now(),
        log: new StepLog(),
        statuses: new Map(),
        ended: undefined,
        end: undefined,
      };
      vertices.set(vertex, shown);
      if (event.kind === "output") shown.log.add(event.stream, event.bytes, now() - shown.begun);
      if (event.kind === "status") {
        const before = shown.statuses.get(event.id);
        const ended = event.isDone ? now() : undefined;
        shown.statuses.set(event.id, { text: event.text, begun: before?.begun ?? now(), ended });
      }
      if (event.kind !== "end") return;
      shown.log.finish(now() - shown.begun);
      shown.ended = now();
      shown.end = event.end;
      if (event.end.kind === "failed") failures.push(failureText(vertex, shown.log));
    },
    warn: (message) => {
      failures.push(`WARNING: ${message}\n`);
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      draw(true);
      for (const failure of failures) terminal.write(failure);
    },
  };
}

function linesOf(vertex: Vertex, shown: Shown, now: number, width: number, isLast: boolean): string[] {
  const { end, ended = now } = shown;
  const mark =
    end?.kind === "cached"
      ? "CACHED "
      : end?.kind === "failed"
        ? "ERROR "
        : end?.kind === "cancelled"
          ? "CANCELED "
          : "";
  const color = end === undefined ? "" : end.kind === "failed" ? RED : end.kind === "cancelled" ? YELLOW : BLUE;
  const line = (text: string, time: number, lineColor: string) =>
    `${lineColor}${withTime(printable(text), seconds(time), width)}${lineColor === "" ? "" : PLAIN}`;
  const lines = [line(` => ${mark}${vertex.name}`, ended - shown.begun, color)];
  for (const status of shown.statuses.values()) {
    lines.push(line(` => => ${status.text}`, (status.ended ?? ended) - status.begun, color));
  }
  if (end === undefined && !isLast) {
    for (const { text } of shown.log.tail(OUTPUT_LINES)) {
      lines.push(cut(` => => # ${printable(text.split("\r").at(-1) ?? "")}`, width));
    }
  }
  return lines;
}

function withTime(text: string, time: string, width: number): string {
  const room = width - time.length - 1;
  const shown = cut(text, room);
  return `${shown}${" ".repeat(Math.max(0, room - Bun.stringWidth(shown)))} ${time}`;
}

/** A text of at most so many columns. */
function cut(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  let shown = "";
  let used = 0;
  for (const character of text) {
    used += Bun.stringWidth(character);
    if (used > columns) break;
    shown += character;
  }
  return shown;
}

function printable(text: string): string {
  return Bun.stripANSI(text)
    .replaceAll("\t", "    ")
    .replace(/\p{Cc}/gu, "");
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)}s`;
}
