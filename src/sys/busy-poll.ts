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

/** Waits for the events of one loop; see the head of this file. */
export class BusyPoll {
  readonly #now: () => number;
  /** Which waits were short. */
  #short = 0;
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
    if ((this.#short & RECENT_WAITS) !== 0 && this.#mayPoll(began)) {
      do {
        const count = fetch(0);
        if (count !== 0) {
          this.#note(true);
          return count;
        }
        systemCall(SystemCall.sched_yield);
      } while (this.#now() - began < SHORT_WAIT);
      this.#allowance -= SHORT_WAIT;
    }
    const count = fetch(-1);
    this.#note(this.#now() - began < SHORT_WAIT);
    return count;
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
