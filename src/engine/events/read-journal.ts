/* Reads the journal of events; journal.ts. */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import * as v from "valibot";
import { eventsFile } from "./journal.ts";

const eventSchema = v.object({
  status: v.string(),
  id: v.string(),
  from: v.optional(v.string()),
  Type: v.string(),
  Action: v.string(),
  Actor: v.object({ ID: v.string(), Attributes: v.record(v.string(), v.string()) }),
  scope: v.string(),
  time: v.number(),
});

/** An event as Docker's API has it, with the line that it was written as. */
export interface RecordedEvent {
  readonly type: string;
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly line: string;
}

function parseEvent(line: string): RecordedEvent | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), eventSchema), line);
  if (!parsed.success) return undefined;
  const { Type, Action, Actor } = parsed.output;
  // Beyond what a number holds exactly, but not by milliseconds.
  const nanoseconds = /"timeNano":(\d+)/.exec(line)?.[1] ?? "0";
  return {
    type: Type,
    action: Action,
    id: Actor.ID,
    attributes: Actor.Attributes,
    time: Number(nanoseconds) / 1e6,
    line,
  };
}

/** Reads what has happened, and later what has happened since. */
export class JournalReader {
  readonly #path: string;
  #position = 0;
  #inode = 0;
  #rest = "";

  constructor(data: string) {
    this.#path = eventsFile(data);
  }

  /** What the journal holds of the time before the present file. */
  readOlder(onEvent: (event: RecordedEvent) => void): void {
    let text: string;
    try {
      text = readFileSync(`${this.#path}.1`, "utf8");
    } catch {
      return;
    }
    for (const line of text.split("\n")) this.#take(line, onEvent);
  }

  /** What has been added to it. */
  readAdded(onEvent: (event: RecordedEvent) => void): void {
    let file: number;
    try {
      file = openSync(this.#path, "r");
    } catch {
      return;
    }
    try {
      const { size, ino } = fstatSync(file);
      if (ino !== this.#inode) {
        this.#inode = ino;
        this.#position = 0;
        this.#rest = "";
      }
      const bytes = Buffer.alloc(Math.max(0, size - this.#position));
      this.#position += readSync(file, bytes, 0, bytes.length, this.#position);
      const lines = (this.#rest + bytes.toString("utf8")).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line, onEvent);
    } finally {
      closeSync(file);
    }
  }

  #take(line: string, onEvent: (event: RecordedEvent) => void): void {
    const event = line === "" ? undefined : parseEvent(line);
    if (event !== undefined) onEvent(event);
  }
}
