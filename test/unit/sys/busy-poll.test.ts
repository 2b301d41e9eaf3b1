import { describe, expect, test } from "bun:test";
import { BusyPoll } from "../../../src/sys/busy-poll.ts";

/** Time that goes on by what the waits of a test take, and by a microsecond for each look at the events. */
class Waits {
  now = 0;
  polls = 0;
  sleeps = 0;
  readonly #busyPoll = new BusyPoll(() => this.now);

  /** Waits for an event that comes after some milliseconds; whether that was without sleep. */
  waitFor(delay: number): boolean {
    const due = this.now + delay;
    const { sleeps } = this;
    const result = this.#busyPoll.wait((limit) => {
      if (limit === 0) {
        this.polls++;
        this.now += 0.001;
        return this.now >= due ? 1 : 0;
      }
      this.sleeps++;
      this.now = Math.max(this.now, due);
      return 1;
    });
    expect(result).toBe(1);
    return sleeps === this.sleeps;
  }

  /** Works on what has come. */
  work(duration: number): void {
    this.now += duration;
  }
}

describe("BusyPoll", () => {
  test("sleeps where events are far apart", () => {
    const waits = new Waits();
    for (let event = 0; event < 1_000; event++) waits.waitFor(5);
    expect(waits.polls).toBe(0);
  });

  test("does not sleep between events that are close", () => {
    const waits = new Waits();
    waits.waitFor(0.02);
    for (let event = 0; event < 1_000; event++) expect(waits.waitFor(0.02)).toBe(true);
    expect(waits.sleeps).toBe(1);
  });

  test("bears with a long wait between short ones, and gives up after some", () => {
    const waits = new Waits();
    for (const delay of [0.02, 0.15, 0.15]) waits.waitFor(delay);
    expect(waits.waitFor(0.02)).toBe(true);
    for (let event = 0; event < 4; event++) waits.waitFor(3);
    const { polls } = waits;
    waits.waitFor(3);
    expect(waits.polls).toBe(polls);
  });

  test("polls in vain for a tenth of the time at most", () => {
    const waits = new Waits();
    let inVain = 0;
    // As if to mislead it: a short wait after each long one, and no work in between.
    for (let event = 0; event < 2_000; event++) {
      waits.waitFor(0.01);
      const before = waits.polls;
      if (!waits.waitFor(0.2)) inVain += (waits.polls - before) * 0.001;
      waits.work(0.005);
    }
    expect(inVain).toBeGreaterThan(0);
    // And what it may have saved up, and a look too many each time.
    expect(inVain).toBeLessThan(waits.now / 9 + 1);
  });

  test("hands on what the kernel refuses", () => {
    const EINTR = -4;
    expect(new BusyPoll(() => 0).wait(() => EINTR)).toBe(EINTR);
  });
});
