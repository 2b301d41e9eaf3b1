import { Event, type Reactor, Timer } from "../../sys/reactor.ts";
import { PHASE_STATUS } from "../health/phase-status.ts";
import { spawnInternal } from "./children.ts";
import type { Supervise } from "./protocol.ts";

/** Has the container's health checked again and again; the next check waits until the last one has ended. */
export class HealthTimer implements Disposable {
  readonly #timer = new Timer();
  readonly #reactor: Reactor;

  constructor(reactor: Reactor, health: NonNullable<Supervise["health"]>, data: string, id: string) {
    this.#reactor = reactor;
    const begin = performance.now();
    let isKnown = false;
    const isStarting = () => !isKnown && performance.now() - begin < health.startPeriod;
    let { startupInterval } = health;
    const arm = () => {
      const regular = isStarting() ? Math.min(health.startInterval, health.interval) : health.interval;
      this.#timer.start(startupInterval ?? regular);
    };
    reactor.add(this.#timer.descriptor.number, Event.IN, () => {
      this.#timer.acknowledge();
      const phase = isStarting() ? "starting" : "started";
      const check = spawnInternal(reactor, ["health", data, id, phase], (exitStatus) => {
        // Any other says that the check itself has failed.
        if (exitStatus === PHASE_STATUS.starting || exitStatus === PHASE_STATUS.known) startupInterval = undefined;
        if (exitStatus === PHASE_STATUS.known) isKnown = true;
        if (!this.#isDisposed) arm();
      });
      if (check === undefined) arm();
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
