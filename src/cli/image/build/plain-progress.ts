/*
 * The progress of a build as lines that only grow, in the form of BuildKit's `--progress plain`:
 *
 *   #5 [2/3] RUN make
 *   #5 0.123 cc -o program program.c
 *   #5 DONE 0.4s
 *
 * A vertex gets its number when it begins. Where the lines of several that go on at the same time alternate, each change
 * is shown: `#5 ...`, an empty line, and the other's number and name, also when it has been shown before.
 */
import type { BuildObserver, Vertex, VertexEnd, VertexEvent } from "../../../build/progress.ts";
import { type LogLine, lineTime, StepLog } from "./step-log.ts";

interface Shown {
  readonly number: number;
  readonly begun: number;
  readonly log: StepLog;
  hasEnded: boolean;
}

/**
 * Makes the display.
 * @param write puts text out
 * @param now milliseconds
 */
export function plainProgress(
  write: (text: string) => void,
  now: () => number = () => performance.now(),
): BuildObserver {
  const vertices = new Map<Vertex, Shown>();
  let current: Shown | undefined;
  const say = (vertex: Vertex, shown: Shown, text: string) => {
    let heading = "";
    if (current !== shown) {
      if (current !== undefined && !current.hasEnded) heading = `#${current.number} ...\n\n`;
      heading += `#${shown.number} ${vertex.name}\n`;
      current = shown;
    }
    write(`${heading}${text}`);
  };
  const sayLines = (vertex: Vertex, shown: Shown, lines: readonly LogLine[]) => {
    if (lines.length === 0) return;
    say(vertex, shown, lines.map(({ time, text }) => `#${shown.number} ${lineTime(time)} ${text}\n`).join(""));
  };
  return {
    declare: () => undefined,
    event(vertex, event) {
      const shown = vertices.get(vertex) ?? {
        number: vertices.size + 1,
        begun: now(),
        log: new StepLog(),
        hasEnded: false,
      };
      vertices.set(vertex, shown);
      const elapsed = now() - shown.begun;
      if (event.kind === "begin") say(vertex, shown, "");
      if (event.kind === "output") sayLines(vertex, shown, shown.log.add(event.stream, event.bytes, elapsed));
      if (event.kind === "status") {
        say(vertex, shown, `#${shown.number} ${event.text}${event.isDone ? " done" : ""}\n`);
      }
      if (event.kind === "end") {
        sayLines(vertex, shown, shown.log.finish(elapsed));
        say(vertex, shown, `#${shown.number} ${endText(event.end, elapsed)}\n`);
        if (event.end.kind === "failed") write(failureText(vertex, shown.log));
        write("\n");
        shown.hasEnded = true;
      }
    },
    warn: (message) => write(`WARNING: ${message}\n`),
  };
}

function endText(end: VertexEnd, elapsed: number): string {
  if (end.kind === "done") return `DONE ${(elapsed / 1000).toFixed(1)}s`;
  if (end.kind === "cached") return "CACHED";
  return end.kind === "cancelled" ? "CANCELED" : `ERROR: ${end.message}`;
}

/** What a failed step has said last, to be read without looking for it. */
export function failureText({ name }: Vertex, log: StepLog): string {
  const rule = "------\n";
  const lines = log.kept().map(({ time, text }) => `${lineTime(time)} ${text}\n`);
  return `${rule} > ${name}:\n${lines.join("")}${rule}`;
}

/** An observer that shows nothing; of a step that fails, what it has said. */
export function quietProgress(write: (text: string) => void): BuildObserver {
  const logs = new Map<Vertex, StepLog>();
  return {
    declare: () => undefined,
    event(vertex, event: VertexEvent) {
      const log = logs.get(vertex) ?? new StepLog();
      logs.set(vertex, log);
      if (event.kind === "output") log.add(event.stream, event.bytes, 0);
      if (event.kind !== "end") return;
      log.finish(0);
      if (event.end.kind === "failed") write(failureText(vertex, log));
      logs.delete(vertex);
    },
    warn: (message) => write(`WARNING: ${message}\n`),
  };
}
