/*
 * Notices when the memory of a cgroup gets short. The kernel counts in memory.events how often each of these happened
 * (Documentation/admin-guide/cgroup-v2.rst): usage was held down at memory.high (`high`), it has reached memory.max
 * (`max`), nothing could be taken back and the OOM killer was called (`oom`), it has ended a process (`oom_kill`). A
 * change of the file wakes an inotify watch on the cgroup's directory; what has changed is told by comparing.
 */
import { encodeText } from "../sys/byte-string.ts";
import { DirectoryWatch } from "../sys/directory-watch.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { type Counters, parseCounters } from "./accounting.ts";
import { readGroupFile } from "./group.ts";
import { MOUNT } from "./mount-point.ts";

/** What can happen to a cgroup's memory. */
export type MemoryEvent = "high" | "max" | "oom" | "oom_kill";

const EVENTS: readonly MemoryEvent[] = ["high", "max", "oom", "oom_kill"];

/** A watch on a cgroup's memory; its descriptor is readable when something may have happened. */
export class MemoryWatch implements Disposable {
  readonly #group: string;
  readonly #watch: DirectoryWatch;
  #seen: Counters;

  /**
   * @param group its path in the hierarchy
   * @param isFromBegin whether the first `take` tells of everything that has happened to the cgroup before
   * @throws BunkerError when there is no such cgroup, or the user has too many watches
   */
  constructor(group: string, isFromBegin = false) {
    this.#group = group;
    this.#watch = new DirectoryWatch(encodeText(`${MOUNT}${group}`));
    this.#seen = isFromBegin ? {} : this.#read();
  }

  get descriptor(): FileDescriptor {
    return this.#watch.descriptor;
  }

  /** What has happened since the last call, and how often; the descriptor is not readable any more then. */
  take(): readonly { readonly event: MemoryEvent; readonly count: number }[] {
    this.#watch.acknowledge();
    const before = this.#seen;
    const now = this.#read();
    this.#seen = { ...before, ...now };
    return EVENTS.map((event) => ({ event, count: (now[event] ?? 0) - (before[event] ?? 0) })).filter(
      ({ count }) => count > 0,
    );
  }

  #read(): Counters {
    return parseCounters(readGroupFile(this.#group, "memory.events"));
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}
