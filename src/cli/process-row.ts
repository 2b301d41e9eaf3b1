import { readFileSync, statSync } from "node:fs";
import { CLOCK_TICKS, processStatus } from "../sys/process-identity.ts";

/** A process as lists show it. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  /** Hours and minutes. */
  readonly started: string;
  /** User and system time used: `HH:MM:SS`. */
  readonly time: string;
  /** Its words, or its name in brackets. */
  readonly command: string;
  readonly name: string;
}

/** Reads about a process; undefined if it has ended meanwhile. */
export function readProcessRow(pid: number): ProcessRow | undefined {
  const status = processStatus(pid);
  if (status === undefined) return undefined;
  try {
    const { uid } = statSync(`/proc/${pid}`);
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    const uptime = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
    const started = new Date(Date.now() - 1000 * (uptime - status.startTime / CLOCK_TICKS));
    return {
      pid,
      parent: status.parent,
      uid,
      started: started.toTimeString().slice(0, 5),
      time: clock(status.time / CLOCK_TICKS),
      command: (words.length > 0 ? words.join(" ") : `[${name}]`).replace(/\p{Cc}/gu, "?"),
      name: name.replace(/\p{Cc}/gu, "?"),
    };
  } catch {
    return undefined;
  }
}

function clock(seconds: number): string {
  const digits = (value: number) => String(Math.floor(value)).padStart(2, "0");
  return `${digits(seconds / 3600)}:${digits((seconds / 60) % 60)}:${digits(seconds % 60)}`;
}
