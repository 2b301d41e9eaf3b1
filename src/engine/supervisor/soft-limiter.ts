/*
 * Theory of operation: limits without a cgroup, kept by watching.
 *
 * Some times a second the supervisor looks at all processes of the container, in /proc. It cannot keep them from anything,
 * only answer:
 *
 *   processes    Beyond the limit the youngest are killed. (Since Linux 5.14 the kernel counts the processes of each user
 *                in each user namespace by itself, so the container gets the limit as RLIMIT_NPROC as well: then no single
 *                user of the container's passes it even for a moment.)
 *   memory       What processes have resident, shared pages divided among those who share them (Pss), and what lies in
 *                the container's tmpfs. Beyond the limit the one with most is killed, as by the kernel's OOM killer, and
 *                as there the files remain: if they alone are too many, nobody survives. Summing up without dividing is
 *                cheap, and as long as even that is within the limit nothing else is done.
 *   CPU time     An account: what the container may use comes in, what it has used goes out. When it is overdrawn all
 *                processes are stopped (SIGSTOP) until it is even again. Parents are stopped before their children and
 *                go on after them, so that no parent that waits for its children sees one stopped.
 *
 * Members are those of the container's pid namespace or, in another container's, those of its mount namespace. Which
 * processes of the host are in it is asked once for each, and for all again from time to time, since pids come again. A
 * container in the host's pid namespace has what descends from the supervisor, which adopts its orphans.
 *
 * Times are in clock ticks of 10 ms. What a process has used is added to its parent's sum when that has waited for it, so
 * the sum over those that live, with their ended children, misses only what nobody waited for.
 */
import { readdirSync } from "node:fs";
import type { SoftLimits } from "../../cgroup/soft-limits.ts";
import { namespaceOf } from "../../sys/namespace.ts";
import { openIdentified, sendSignal } from "../../sys/process-identity.ts";
import { Event, type Reactor, Timer } from "../../sys/reactor.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { Signal } from "../../sys/signal.ts";
import { ownChildren } from "./children.ts";
import { MemoryFiles } from "./memory-files.ts";
import type { Supervise } from "./protocol.ts";

/** Milliseconds between two looks. */
const INTERVAL = 50;
const TICKS_PER_SECOND = 100;
const PAGE_SIZE = 4096;
/** How many looks it takes until all processes of the host are asked again. */
const LOOKS_UNTIL_ANEW = 40;
/** CPU time that may be saved up, in seconds: what the host was too busy for can be had later. */
const SAVINGS = 0.5;
/** How often new children are looked for while all are being stopped. */
const STOP_ROUNDS = 4;

/** A process at one moment; proc_pid_stat(5). */
interface Member {
  readonly pid: number;
  readonly parent: number;
  readonly startTime: number;
  readonly threads: number;
  /** Clock ticks of its own and of its ended children. */
  readonly ticks: number;
  /** Bytes. */
  readonly resident: number;
}

/** Keeps a container to limits; see the head of this file. */
export class SoftLimiter implements Disposable {
  readonly #reactor: Reactor;
  readonly #limits: SoftLimits;
  readonly #list: () => readonly number[];
  readonly #onOutOfMemory: () => void;
  readonly #timer = new Timer();
  readonly #pid: number;
  #memoryFiles: MemoryFiles | undefined;
  #looks = 0;
  #last: { readonly time: number; readonly ticks: number } | undefined;
  #credit = 0;
  #isStopped = false;

  /**
   * @param pid of the container's first process
   * @param onOutOfMemory is told when a process has been killed for its memory
   */
  constructor(
    reactor: Reactor,
    limits: SoftLimits,
    { pid, pidNamespace }: Pick<Supervise, "pid" | "pidNamespace">,
    onOutOfMemory: () => void,
  ) {
    this.#reactor = reactor;
    this.#pid = pid;
    this.#limits = limits;
    this.#list =
      pidNamespace === "host" ? () => descendants() : namespaceMembers(pid, pidNamespace === "own" ? "pid" : "mnt");
    this.#onOutOfMemory = onOutOfMemory;
    reactor.add(this.#timer.descriptor.number, Event.IN, () => {
      this.#timer.acknowledge();
      this.#look();
    });
    this.#timer.start(INTERVAL, INTERVAL);
  }

  #members(): readonly Member[] {
    return this.#list().flatMap((pid) => {
      const member = readMember(pid);
      return member === undefined ? [] : [member];
    });
  }

  #look(): void {
    const members = this.#members();
    this.#limitProcesses(members);
    this.#limitMemory(members);
    this.#limitTime(members);
  }

  #limitProcesses(members: readonly Member[]): void {
    const { processes } = this.#limits;
    if (processes === undefined) return;
    let count = members.reduce((sum, { threads }) => sum + threads, 0);
    for (const member of members.toSorted((one, other) => other.startTime - one.startTime || other.pid - one.pid)) {
      if (count <= processes) return;
      signalMember(member, Signal.SIGKILL);
      count -= member.threads;
    }
  }

  #limitMemory(members: readonly Member[]): void {
    const { memory } = this.#limits;
    if (memory === undefined) return;
    // Something may be mounted, or the first process pivot its root, at any time.
    if (this.#looks++ % LOOKS_UNTIL_ANEW === 0) this.#memoryFiles = new MemoryFiles(this.#pid);
    const files = this.#memoryFiles?.usage() ?? 0;
    if (members.reduce((sum, { resident }) => sum + resident, files) <= memory) return;
    const devices = this.#memoryFiles?.devices ?? new Set();
    const shares = members.map((member) => ({ member, bytes: proportionalSize(member, devices) }));
    let sum = shares.reduce((all, { bytes }) => all + bytes, files);
    for (const { member, bytes } of shares.toSorted((one, other) => other.bytes - one.bytes)) {
      if (sum <= memory) return;
      if (signalMember(member, Signal.SIGKILL)) this.#onOutOfMemory();
      sum -= bytes;
    }
  }

  #limitTime(members: readonly Member[]): void {
    const { processors } = this.#limits;
    if (processors === undefined) return;
    const now = { time: performance.now(), ticks: members.reduce((sum, { ticks }) => sum + ticks, 0) };
    const before = this.#last ?? now;
    this.#last = now;
    const used = Math.max(0, now.ticks - before.ticks) / TICKS_PER_SECOND;
    const earned = (processors * (now.time - before.time)) / 1000;
    this.#credit = Math.min(this.#credit + earned - used, processors * SAVINGS);
    if (this.#credit < 0 && !this.#isStopped) this.#stopAll(members);
    else if (this.#credit >= 0 && this.#isStopped) this.#continueAll(members);
    // Who has been executed in the container meanwhile is stopped like all others.
    else if (this.#isStopped) this.#stopAll(members);
  }

  #stopAll(members: readonly Member[]): void {
    this.#isStopped = true;
    const stopped = new Set<number>();
    let found = members;
    for (let round = 0; round < STOP_ROUNDS; round++) {
      const fresh = found.filter(({ pid }) => !stopped.has(pid));
      if (fresh.length === 0) return;
      for (const member of parentsFirst(fresh)) {
        signalMember(member, Signal.SIGSTOP);
        stopped.add(member.pid);
      }
      found = this.#members();
    }
  }

  #continueAll(members: readonly Member[]): void {
    this.#isStopped = false;
    for (const member of parentsFirst(members).toReversed()) signalMember(member, Signal.SIGCONT);
  }

  [Symbol.dispose](): void {
    this.#reactor.remove(this.#timer.descriptor.number);
    this.#timer[Symbol.dispose]();
    if (this.#isStopped) this.#continueAll(this.#members());
  }
}

/** Sends a signal if the process is still the same. */
function signalMember(member: Member, signal: number): boolean {
  using pidfd = openIdentified(member);
  return pidfd !== undefined && sendSignal(pidfd, signal);
}

function parentsFirst(members: readonly Member[]): readonly Member[] {
  const byPid = new Map(members.map((member) => [member.pid, member]));
  const depth = ({ parent }: Member): number => {
    const next = byPid.get(parent);
    return next === undefined ? 0 : 1 + depth(next);
  };
  return members
    .map((member) => ({ member, depth: depth(member) }))
    .toSorted((one, other) => one.depth - other.depth)
    .map(({ member }) => member);
}

function readMember(pid: number): Member | undefined {
  const text = readIfThere(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field is the command's name in parentheses, which may contain anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  return {
    pid,
    parent: field(4),
    startTime: field(22),
    threads: field(20),
    ticks: field(14) + field(15) + field(16) + field(17),
    resident: field(24) * PAGE_SIZE,
  };
}

/**
 * What a process has resident, with its part of what it shares; without the right to see that, all of it.
 * @param apart devices whose files are counted elsewhere
 */
function proportionalSize({ pid, resident }: Member, apart: ReadonlySet<string>): number {
  const mappings = readIfThere(`/proc/${pid}/smaps`);
  return mappings === undefined ? resident : proportionalSizeOf(mappings, apart);
}

/**
 * Adds up the Pss of mappings; proc_pid_smaps(5).
 * @param apart devices, as they are written there, whose files do not count
 * @returns bytes
 */
export function proportionalSizeOf(mappings: string, apart: ReadonlySet<string>): number {
  let counts = true;
  let kilobytes = 0;
  for (const line of mappings.split("\n")) {
    const device = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ (\S+) /.exec(line)?.[1];
    if (device !== undefined) counts = !apart.has(device);
    else if (counts && line.startsWith("Pss:")) kilobytes += Number.parseInt(line.slice(4), 10);
  }
  return kilobytes * 1024;
}

/** Returns what lists the processes in a namespace of a process, but for the host's; see runtime/namespace-members.ts. */
export function namespaceMembers(pid: number, file: "pid" | "mnt"): () => readonly number[] {
  const namespace = namespaceOf(pid, file);
  const host = namespaceOf("self", "pid");
  const isApart = namespaceOf(pid, "pid") !== host;
  // Of those who may not be looked at nothing is known either.
  const isMember = (other: string) =>
    namespace !== undefined &&
    namespaceOf(other, file) === namespace &&
    !(isApart && namespaceOf(other, "pid") === host);
  let known = new Map<string, boolean>();
  let looks = 0;
  return () => {
    if (++looks % LOOKS_UNTIL_ANEW === 0) known = new Map();
    const now = new Map<string, boolean>();
    for (const name of readdirSync("/proc")) {
      const first = name.charCodeAt(0);
      if (first < 0x30 || first > 0x39) continue;
      now.set(name, known.get(name) ?? isMember(name));
    }
    known = now;
    return [...now].filter(([, isMember]) => isMember).map(([name]) => Number(name));
  };
}

/** What descends from this process, but for the programs that it has started itself. */
function descendants(pid: number = process.pid): readonly number[] {
  const children = threadsOf(pid).flatMap((thread) =>
    (readIfThere(`/proc/${pid}/task/${thread}/children`) ?? "")
      .split(" ")
      .filter((word) => word !== "")
      .map(Number),
  );
  return children
    .filter((child) => pid !== process.pid || !ownChildren.has(child))
    .flatMap((child) => [child, ...descendants(child)]);
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}
