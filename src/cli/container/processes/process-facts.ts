import { readFileSync } from "node:fs";
import { CLOCK_TICKS } from "../../../sys/process-identity.ts";
import { readIfThere } from "../../../sys/read-if-there.ts";

/** What /proc says of one process; what only some lists need is read when it is asked for. */
export class ProcessFacts {
  readonly pid: number;
  /** Of /proc/PID/stat, from the third on; proc_pid_stat(5). */
  readonly #fields: readonly string[];
  /** Its name, without what would steer a terminal. */
  readonly name: string;
  #status: string | undefined;

  private constructor(pid: number, stat: string) {
    this.pid = pid;
    const end = stat.lastIndexOf(")");
    this.name = withoutControls(stat.slice(stat.indexOf("(") + 1, end));
    this.#fields = stat.slice(end + 2).split(" ");
  }

  /** Undefined if it has ended, and been waited for. */
  static read(pid: number): ProcessFacts | undefined {
    try {
      return new ProcessFacts(pid, readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return undefined;
    }
  }

  /** `R`, `S`, `Z` …; proc_pid_stat(5), field 3. */
  get state(): string {
    return this.#fields[0] ?? "?";
  }

  /** A field of /proc/PID/stat by its number in proc_pid_stat(5), from 4 on. */
  number(field: number): number {
    return Number(this.#fields[field - 3]);
  }

  /** Its words; of who has none, the name in brackets. */
  get command(): string {
    const words = (readIfThere(`/proc/${this.pid}/cmdline`) ?? "").split("\0").slice(0, -1);
    if (this.state === "Z") return `[${this.name}] <defunct>`;
    return words.length > 0 ? withoutControls(words.join(" ")) : `[${this.name}]`;
  }

  /** A line of /proc/PID/status; undefined when the process has ended, or has no such line. */
  line(key: string): string | undefined {
    this.#status ??= readIfThere(`/proc/${this.pid}/status`) ?? "";
    return new RegExp(`^${key}:\\s+(.*)$`, "m").exec(this.#status)?.[1];
  }

  /** The numbers of such a line: `Uid` has four, `NSpid` one for each pid namespace. */
  numbers(key: string): readonly number[] {
    return [...(this.line(key) ?? "").matchAll(/\d+/g)].map(Number);
  }

  /** Processor time that it has used, in seconds. */
  get processorSeconds(): number {
    return (this.number(14) + this.number(15)) / CLOCK_TICKS;
  }

  /** How long it has been there, in seconds. */
  get age(): number {
    const uptime = Number(readIfThere("/proc/uptime")?.split(" ")[0]);
    return Math.max(0, uptime - this.number(22) / CLOCK_TICKS);
  }

  /** The terminal it belongs to, `?` without one. Those of containers are pseudo-terminals. */
  get terminal(): string {
    const device = this.number(7);
    const major = (device >> 8) & 0xfff;
    const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
    if (major >= 136 && major < 144) return `pts/${(major - 136) * 256 + minor}`;
    return device === 0 ? "?" : `${major}:${minor}`;
  }
}

function withoutControls(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}
