/* What the supervisor has others do, because it would need code or time for it: this executable again, as its child. */
import { waitForExit } from "../../sys/process.ts";
import { Event, openProcess, type Reactor, Timer } from "../../sys/reactor.ts";
import { STARTUP_GOES_ON } from "../health/startup-status.ts";
import { internalCommand } from "../internal-command.ts";
import type { Supervise } from "./protocol.ts";

const running = new Set<number>();

/** The pids of those that run now. */
export const ownChildren: ReadonlySet<number> = running;

/**
 * Starts `bunker internal …` without waiting for it.
 * @param onEnd called in the reactor when it has ended, with its end
 * @returns a function that waits for its end
 */
export function spawnInternal(
  reactor: Reactor,
  words: readonly string[],
  onEnd: (end: ReturnType<typeof waitForExit>) => void,
): () => void {
  const child = Bun.spawn(internalCommand(words), {
    stdio: ["ignore", "ignore", "ignore"],
  });
  running.add(child.pid);
  const pidfd = openProcess(child.pid);
  const end = () => {
    if (!running.delete(child.pid)) return;
    reactor.remove(pidfd.number);
    pidfd.close();
    onEnd(waitForExit(child.pid));
  };
  reactor.add(pidfd.number, Event.IN, end);
  return end;
}

/** Has the container's health checked again and again; the next check waits until the last one has ended. */
export class HealthTimer implements Disposable {
  readonly #timer = new Timer();
  readonly #reactor: Reactor;

  constructor(reactor: Reactor, health: NonNullable<Supervise["health"]>, data: string, id: string) {
    this.#reactor = reactor;
    const begin = performance.now();
    const isStarting = () => performance.now() - begin < health.startPeriod;
    let { startupInterval } = health;
    const arm = () => {
      const regular = isStarting() ? Math.min(health.startInterval, health.interval) : health.interval;
      this.#timer.start(startupInterval ?? regular);
    };
    reactor.add(this.#timer.descriptor.number, Event.IN, () => {
      this.#timer.acknowledge();
      const phase = isStarting() ? "starting" : "started";
      spawnInternal(reactor, ["health", data, id, phase], (end) => {
        if (!("exitCode" in end && end.exitCode === STARTUP_GOES_ON)) startupInterval = undefined;
        if (!this.#isDisposed) arm();
      });
    });
    arm();
  }

  #isDisposed = false;

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#reactor.remove(this.#timer.descriptor.number);
    this.#timer[Symbol.dispose]();
  }
}
