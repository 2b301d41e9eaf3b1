/*
 * The columns of `top`: ps(1)'s standard format specifiers with ps's titles, as far as /proc of a container's processes
 * has something to say, and Podman's descriptors, which speak of the container's own numbers where ps's are the host's.
 */
import { CAPABILITY_NAMES } from "../../../runtime/configuration/capabilities.ts";
import { passwordEntry } from "../../../sys/password-entry.ts";
import { readIfThere } from "../../../sys/read-if-there.ts";
import { ProcessFacts } from "./process-facts.ts";

/** A column. */
export interface Column {
  readonly title: string;
  readonly value: (process: ProcessFacts) => string;
}

const SECONDS_OF_DAY = 86_400;

const pid: Column = { title: "PID", value: (process) => String(process.pid) };
const user: Column = { title: "USER", value: (process) => nameOf(process.numbers("Uid")[1]) };
const group: Column = { title: "GROUP", value: (process) => groupNameOf(process.numbers("Gid")[1]) };
const command: Column = { title: "CMD", value: (process) => process.command };
const state: Column = { title: "S", value: (process) => process.state };
const time: Column = { title: "TIME", value: (process) => clock(process.processorSeconds, false) };
const virtualSize: Column = { title: "VSZ", value: (process) => String(process.numbers("VmSize")[0] ?? 0) };
const residentSize: Column = { title: "RSS", value: (process) => String(process.numbers("VmRSS")[0] ?? 0) };
const processorShare: Column = { title: "%CPU", value: (process) => processorPercent(process).toFixed(1) };
const memoryShare: Column = {
  title: "%MEM",
  value: (process) => ((100 * (process.numbers("VmRSS")[0] ?? 0)) / totalMemory()).toFixed(1),
};
const terminal: Column = { title: "TTY", value: (process) => process.terminal };
const niceness: Column = { title: "NI", value: (process) => String(process.number(19)) };
const started: Column = { title: "STIME", value: (process) => startText(process.age) };
const session: Column = { title: "SID", value: (process) => String(process.number(6)) };
const threads: Column = { title: "NLWP", value: (process) => String(process.number(20)) };

/** ps(1)'s specifiers. */
export const psColumns: Readonly<Record<string, Column>> = {
  "%cpu": processorShare,
  "%mem": memoryShare,
  args: { ...command, title: "COMMAND" },
  c: { title: "C", value: (process) => String(Math.floor(Math.min(99, processorPercent(process)))) },
  cmd: command,
  comm: { title: "COMMAND", value: (process) => process.name },
  command: { ...command, title: "COMMAND" },
  cputime: time,
  egid: { title: "EGID", value: (process) => String(process.numbers("Gid")[1]) },
  egroup: { ...group, title: "EGROUP" },
  etime: { title: "ELAPSED", value: (process) => clock(process.age, true) },
  etimes: { title: "ELAPSED", value: (process) => String(Math.floor(process.age)) },
  euid: { title: "EUID", value: (process) => String(process.numbers("Uid")[1]) },
  euser: { ...user, title: "EUSER" },
  gid: { title: "GID", value: (process) => String(process.numbers("Gid")[1]) },
  group,
  ni: niceness,
  nice: niceness,
  nlwp: threads,
  pcpu: processorShare,
  pgid: { title: "PGID", value: (process) => String(process.number(5)) },
  pgrp: { title: "PGRP", value: (process) => String(process.number(5)) },
  pid,
  pmem: memoryShare,
  ppid: { title: "PPID", value: (process) => String(process.number(4)) },
  pri: { title: "PRI", value: (process) => String(39 - process.number(18)) },
  psr: { title: "PSR", value: (process) => String(process.number(39)) },
  rss: residentSize,
  rssize: residentSize,
  ruid: { title: "RUID", value: (process) => String(process.numbers("Uid")[0]) },
  ruser: { title: "RUSER", value: (process) => nameOf(process.numbers("Uid")[0]) },
  s: state,
  sess: { ...session, title: "SESS" },
  sid: session,
  start: { ...started, title: "STARTED" },
  start_time: { ...started, title: "START" },
  stat: { title: "STAT", value: stateText },
  state,
  stime: started,
  thcount: { ...threads, title: "THCNT" },
  time,
  tname: terminal,
  tt: { ...terminal, title: "TT" },
  tty: { ...terminal, title: "TT" },
  ucmd: { title: "CMD", value: (process) => process.name },
  uid: { title: "UID", value: (process) => String(process.numbers("Uid")[1]) },
  user,
  vsize: virtualSize,
  vsz: virtualSize,
};

/** podman-top(1)'s descriptors, for a container whose first process is given. */
export function podmanColumns(first: number): Readonly<Record<string, Column>> {
  const inside = (file: "uid_map" | "gid_map", id: number | undefined) => String(innerId(first, file, id));
  return {
    args: { ...command, title: "COMMAND" },
    capeff: { title: "EFFECTIVE CAPS", value: (process) => capabilities(process.line("CapEff")) },
    comm: { title: "COMMAND", value: (process) => process.name },
    etime: { title: "ELAPSED", value: (process) => clock(process.age, true) },
    group: { title: "GROUP", value: (process) => inside("gid_map", process.numbers("Gid")[1]) },
    hgroup: { title: "HGROUP", value: (process) => groupNameOf(process.numbers("Gid")[1]) },
    hpid: { title: "HPID", value: (process) => String(process.pid) },
    huser: { title: "HUSER", value: (process) => nameOf(process.numbers("Uid")[1]) },
    nice: niceness,
    pcpu: processorShare,
    pgid: { title: "PGID", value: (process) => String(process.numbers("NSpgid").at(-1)) },
    pid: { title: "PID", value: (process) => String(process.numbers("NSpid").at(-1)) },
    ppid: { title: "PPID", value: (process) => String(innerPid(first, process.number(4))) },
    state,
    stime: started,
    time,
    tty: terminal,
    user: { title: "USER", value: (process) => inside("uid_map", process.numbers("Uid")[1]) },
    vsz: virtualSize,
  };
}

function processorPercent(process: ProcessFacts): number {
  return process.age === 0 ? 0 : (100 * process.processorSeconds) / process.age;
}

function totalMemory(): number {
  return Number(/^MemTotal:\s+(\d+)/m.exec(readIfThere("/proc/meminfo") ?? "")?.[1]);
}

/** A user's name on the host; ids of containers have none. */
function nameOf(uid: number | undefined): string {
  return uid === undefined ? "?" : (passwordEntry(uid)?.name ?? String(uid));
}

function groupNameOf(gid: number | undefined): string {
  const name = new RegExp(`^([^:\\n]*):[^:\\n]*:${gid}:`, "m").exec(readIfThere("/etc/group") ?? "")?.[1];
  return name ?? String(gid ?? "?");
}

/** ps's BSD state: with < or N for the niceness, s for who leads a session, l for threads, + for the foreground. */
function stateText(process: ProcessFacts): string {
  const nice = process.number(19);
  const isForeground = process.number(8) === process.number(5) && process.number(7) !== 0;
  return [
    process.state,
    nice < 0 ? "<" : nice > 0 ? "N" : "",
    process.number(6) === process.pid ? "s" : "",
    process.number(20) > 1 ? "l" : "",
    isForeground ? "+" : "",
  ].join("");
}

/** `[DD-]HH:MM:SS`, and where hours may be left out `[[DD-]HH:]MM:SS`. */
function clock(seconds: number, isElapsed: boolean): string {
  const whole = Math.floor(seconds);
  const digits = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const days = whole >= SECONDS_OF_DAY ? `${digits(whole / SECONDS_OF_DAY)}-` : "";
  const hours = isElapsed && whole < 3600 ? "" : `${digits((whole / 3600) % 24)}:`;
  return `${days}${hours}${digits((whole / 60) % 60)}:${digits(whole % 60)}`;
}

/** The time of day, or the day of who is there longer than one. */
function startText(age: number): string {
  const date = new Date(Date.now() - 1000 * age);
  if (age < SECONDS_OF_DAY) return date.toTimeString().slice(0, 5);
  const [, month = "", day = ""] = date.toDateString().split(" ");
  return `${month}${day}`;
}

/** What an id of the host is in the container's user namespace; what is not mapped stays as it is. */
function innerId(first: number, file: "uid_map" | "gid_map", id: number | undefined): number | string {
  if (id === undefined) return "?";
  for (const line of (readIfThere(`/proc/${first}/${file}`) ?? "").trim().split("\n")) {
    const [inner = 0, outer = 0, count = 0] = line.trim().split(/\s+/).map(Number);
    if (id >= outer && id < outer + count) return inner + (id - outer);
  }
  return id;
}

/** 0 for who is not in the container, as the kernel has it. */
function innerPid(first: number, pid: number): number {
  const numbers = ProcessFacts.read(pid)?.numbers("NSpid") ?? [];
  const depth = ProcessFacts.read(first)?.numbers("NSpid").length ?? 0;
  return numbers.length < depth ? 0 : (numbers.at(-1) ?? 0);
}

/** The effective capabilities by name, `none`, or `full`. */
function capabilities(mask: string | undefined): string {
  const bits = BigInt(`0x${mask ?? "0"}`);
  const held = CAPABILITY_NAMES.filter((_, bit) => (bits >> BigInt(bit)) & 1n);
  if (held.length === 0) return "none";
  return held.length === CAPABILITY_NAMES.length ? "full" : held.map((name) => name.slice("CAP_".length)).join(",");
}
