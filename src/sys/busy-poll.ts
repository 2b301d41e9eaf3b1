/*
 * Theory of operation: waiting without sleep, where the next event is about to come.
 *
 * A process that sleeps in epoll_pwait(2) is woken some microseconds after its event; on a virtual machine, whose
 * processor halts when there is nothing to do, it takes some ten. Whoever stands between two programs that ask and
 * answer each other sleeps and wakes twice for each answer, and that is most of the time that it adds. So for a moment
 * the kernel is asked again and again instead, as it does itself for a network card (net.core.busy_poll) or before it
 * halts a virtual processor (halt_poll_ns).
 *
 * That is only done where it is likely to help, and where it does not help, its cost is bounded:
 *
 * - The loop has passed something on, which may be a question (`Reactor.expectAnswer`).
 * - One of the last few waits was a short one. In between may be others: of the three waits for a new connection and an
 *   answer, one is for the server's work. Whoever only has an event now and then never polls.
 * - Polling in vain takes no more than a tenth of the time. It is paid from an allowance that grows with time, up to
 *   what is enough for a short run of bad luck.
 *   Polling that finds something is not limited: two programs that answer each other all the time keep a processor busy.
 * - Between two questions the processor is offered to others (sched_yield(2)): the program whose answer is waited for may
 *   need this very one.
 * - When that takes long, there is no polling for a while. Who offers its processor stays in the queue of that one, behind
 *   whoever has taken it, although another may be free meanwhile; who sleeps is woken on one that is free, or goes before
 *   whoever has been working.
 */
import { SystemCall, systemCall } from "./system-call.ts";

/** Milliseconds of a short wait, and of polling: what a server needs that starts a thread for a connection. */
const SHORT_WAIT = 0.1;
/** Which of the last waits count; one bit each, the last one's is the lowest. */
const RECENT_WAITS = 0b1111;
/** Part of the time that polling may take in vain. */
const SHARE_IN_VAIN = 0.1;
/** Milliseconds of polling in vain that may come in a row. */
const MOST_IN_A_ROW = 1;
/** Milliseconds that offering the processor takes where others need it, with a look at the events. */
const LONG_YIELD = 0.05;
/** Milliseconds that it is left to others then, the first time and at most. */
const LEAST_WAY = 4;
const MOST_WAY = 64;

/** Waits for the events of one loop; see the head of this file. */
export class BusyPoll {
  readonly #now: () => number;
  /** Which waits were short. */
  #short = 0;
  /** Until when the processor is left to others, and for how many milliseconds it was the last time. */
  #crowdedUntil = Number.NEGATIVE_INFINITY;
  #crowdedFor = 0;
  /** Milliseconds that may be polled in vain, as of when. */
  #allowance = MOST_IN_A_ROW;
  #asOf: number;

  /** @param now milliseconds on a monotonic clock */
  constructor(now: () => number) {
    this.#now = now;
    this.#asOf = now();
  }

  /**
   * Waits for events.
   * @param fetch asks for them, and waits for them as long as epoll_pwait(2) does with this time limit: 0 or -1
   * @returns what `fetch` has returned, when it was not 0 or it has waited
   */
  wait(fetch: (limit: number) => number): number {
    const began = this.#now();
    if ((this.#short & RECENT_WAITS) !== 0 && began >= this.#crowdedUntil && this.#mayPoll(began)) {
      let now = began;
      do {
        const count = fetch(0);
        if (count !== 0) {
          this.#note(true);
          return count;
        }
        now = this.#offerProcessor(now);
      } while (now - began < SHORT_WAIT && now >= this.#crowdedUntil);
      this.#allowance -= SHORT_WAIT;
    }
    const count = fetch(-1);
    this.#note(this.#now() - began < SHORT_WAIT);
    return count;
  }

  /**
   * Looks for events without waiting, when others have gone on who have waited for this very processor.
   * @param fetch as for `wait`
   * @returns what `fetch` has returned, also 0
   */
  look(fetch: (limit: number) => number): number {
    const now = this.#now();
    if (now >= this.#crowdedUntil) this.#offerProcessor(now);
    const count = fetch(0);
    if (count > 0) this.#note(true);
    return count;
  }

  /** @returns the time after it */
  #offerProcessor(before: number): number {
    systemCall(SystemCall.sched_yield);
    const now = this.#now();
    if (now - before > LONG_YIELD) this.#giveWay(now);
    return now;
  }

  /** Others need this processor: it is theirs for some time, for longer where that was so before. */
  #giveWay(now: number): void {
    const wasQuiet = now - this.#crowdedUntil > this.#crowdedFor;
    this.#crowdedFor = wasQuiet ? LEAST_WAY : Math.min(2 * this.#crowdedFor, MOST_WAY);
    this.#crowdedUntil = now + this.#crowdedFor;
  }

  #mayPoll(now: number): boolean {
    this.#allowance = Math.min(this.#allowance + (now - this.#asOf) * SHARE_IN_VAIN, MOST_IN_A_ROW);
    this.#asOf = now;
    return this.#allowance >= SHORT_WAIT;
  }

  #note(wasShort: boolean): void {
    this.#short = (this.#short << 1) | (wasShort ? 1 : 0);
  }
}
