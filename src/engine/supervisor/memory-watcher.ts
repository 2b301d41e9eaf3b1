import { type MemoryEvent, MemoryWatch } from "../../cgroup/memory-watch.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { Event, type Reactor } from "../../sys/reactor.ts";
import { spawnInternal } from "./children.ts";

/** What the kernel says when there is no watch to be had. */
const NO_WATCH: readonly (number | undefined)[] = [Errno.ENOENT, Errno.ENODEV, Errno.EMFILE, Errno.ENOSPC];

/**
 * Has written down when a container's memory gets short.
 * @param group the container's cgroup
 * @returns what ends that; undefined when somebody has removed the cgroup, or the user has as many watches as the host
 * permits: then only the container's end says that a process was killed for its memory
 */
export function watchMemory(reactor: Reactor, group: string, data: string, id: string): Disposable | undefined {
  try {
    return new MemoryWatcher(reactor, group, data, id);
  } catch (error) {
    if (error instanceof BunkerError && NO_WATCH.includes(error.errno)) return undefined;
    throw error;
  }
}

/**
 * Has written down when a container's memory gets short, by children of the supervisor: one after the other, however
 * often it happens, and each with what has come together meanwhile.
 */
class MemoryWatcher implements Disposable {
  readonly #reactor: Reactor;
  readonly #watch: MemoryWatch;
  readonly #words: readonly string[];
  readonly #counts = new Map<MemoryEvent, number>();
  #awaitChild: (() => void) | undefined;
  #isDisposed = false;

  /** @param group the container's cgroup */
  constructor(reactor: Reactor, group: string, data: string, id: string) {
    this.#reactor = reactor;
    this.#words = ["memory-events", data, id];
    this.#watch = new MemoryWatch(group, true);
    reactor.add(this.#watch.descriptor.number, Event.IN, () => this.#collect());
    // The container may have been faster than we.
    this.#collect();
  }

  #collect(): void {
    for (const { event, count } of this.#watch.take()) {
      this.#counts.set(event, (this.#counts.get(event) ?? 0) + count);
    }
    this.#report();
  }

  #report(): void {
    if (this.#counts.size === 0 || this.#awaitChild !== undefined || this.#isDisposed) return;
    const counts = [...this.#counts].map(([event, count]) => `${event}=${count}`).join(",");
    this.#awaitChild = spawnInternal(this.#reactor, [...this.#words, counts], () => {
      this.#awaitChild = undefined;
      this.#report();
    });
    if (this.#awaitChild !== undefined) this.#counts.clear();
  }

  /** What has not been written down by then, whoever records the container's end reads of its cgroup. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#awaitChild?.();
    this.#reactor.remove(this.#watch.descriptor.number);
    this.#watch[Symbol.dispose]();
  }
}
