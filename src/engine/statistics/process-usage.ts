/*
 * What the processes of a container have used, where it has no cgroup that counts for all of them.
 *
 * Of a process that has ended, whoever waited for it inherits the counts: its time (the children's times of
 * proc_pid_stat(5)), and the kernel adds its transfers to those of the parent (proc_pid_io(5)). So the sum over the
 * processes that are there, including those that nobody has waited for yet, is what the container has used so far. It
 * lacks only what a process used that was not waited for from within, such as one of `exec`: then the sum falls, and
 * whoever takes differences has to expect that.
 *
 * Memory is the proportional set size: pages that several processes share are not counted for each of them.
 */
import { CLOCK_TICKS, processOrZombieStatus } from "../../sys/process-identity.ts";
import { readIfThere } from "../../sys/read-if-there.ts";

export interface ProcessUsage {
  /** Seconds of processor time. */
  readonly processorTime: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes; undefined when the kernel does not count them, or not for us. */
  readonly block: { readonly read: number; readonly written: number } | undefined;
  /** Processes and threads. */
  readonly tasks: number;
}

/** Adds up what processes have used; those that end meanwhile are left out. */
export function processUsage(pids: readonly number[]): ProcessUsage {
  let processorTime = 0;
  let memory = 0;
  let tasks = 0;
  let read: number | undefined = 0;
  let written: number | undefined = 0;
  for (const pid of pids) {
    const status = processOrZombieStatus(pid);
    if (status === undefined) continue;
    const transfers = readIfThere(`/proc/${pid}/io`);
    if (transfers === undefined && processOrZombieStatus(pid) === undefined) continue;
    processorTime += (status.time + status.childrenTime) / CLOCK_TICKS;
    read = sum(read, transfers, "read_bytes");
    written = sum(written, transfers, "write_bytes");
    if (status.hasEnded) continue;
    tasks += status.threads;
    memory += memoryOf(pid);
  }
  const block = read === undefined || written === undefined ? undefined : { read, written };
  return { processorTime, memory, block, tasks };
}

function memoryOf(pid: number): number {
  const proportional = fieldOf(readIfThere(`/proc/${pid}/smaps_rollup`), "Pss");
  return 1024 * (proportional ?? fieldOf(readIfThere(`/proc/${pid}/status`), "VmRSS") ?? 0);
}

function sum(all: number | undefined, text: string | undefined, key: string): number | undefined {
  const value = fieldOf(text, key);
  return all === undefined || value === undefined ? undefined : all + value;
}

function fieldOf(text: string | undefined, key: string): number | undefined {
  const found = new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(text ?? "")?.[1];
  return found === undefined ? undefined : Number(found);
}
