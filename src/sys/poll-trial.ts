/*
 * Theory of operation: whether waiting without sleep makes a loop's rounds shorter, found out by trying both.
 *
 * Nothing tells beforehand. Waiting without sleep saves the time that a processor takes to wake up; where others want the
 * processor, it spends the share of it that the work itself needs (the scheduler gives both from one account), and where
 * two virtual processors are one real one's halves, it slows down the program that is waited for. And where events come at
 * times of their own, as packets of a film do, they come no earlier for being awaited awake.
 *
 * So the loop takes turns: some rounds of one kind, as many of the other, and so on for a while, so that what changes
 * meanwhile meets both. A round is all from one wait's end to the next one's, because whoever has spent its share is not
 * held up in waiting only. Then what was clearly better is done for much longer, and after that it is tried again.
 *
 * Rounds are counted up to a limit: how long nobody had a question says nothing about answers. After a pause it may be
 * another kind of traffic, and the trial begins anew.
 */

/** Rounds of one kind in a row, and of both kinds together in a trial. */
const ROUNDS_IN_A_ROW = 16;
const ROUNDS_OF_TRIAL = 8 * ROUNDS_IN_A_ROW;
/** Rounds that the result of a trial holds for. */
const ROUNDS_OF_RESULT = 2048;
/** What a round counts at most, in milliseconds. */
const LONGEST_ROUND = 0.5;
/** Milliseconds of a pause. */
const PAUSE = 100;
/** The part of the time of rounds with sleep that those without may take, to be worth their cost. */
const WORTHWHILE_PART = 0.9;

/** Finds out whether to wait without sleep; see the head of this file. */
export class PollTrial {
  /** Whether the present round is one without sleep. */
  isPolling = true;
  #rounds = 0;
  /** Milliseconds of the trial's rounds. */
  #polling = 0;
  #sleeping = 0;

  /** Takes down how many milliseconds a round took that could be of either kind, and decides on the next one. */
  count(duration: number): void {
    if (duration > PAUSE || this.#rounds === ROUNDS_OF_TRIAL + ROUNDS_OF_RESULT) {
      this.isPolling = true;
      this.#rounds = this.#polling = this.#sleeping = 0;
      return;
    }
    if (++this.#rounds > ROUNDS_OF_TRIAL) return;
    const counted = Math.min(duration, LONGEST_ROUND);
    if (this.isPolling) this.#polling += counted;
    else this.#sleeping += counted;
    if (this.#rounds === ROUNDS_OF_TRIAL) this.isPolling = this.#polling < this.#sleeping * WORTHWHILE_PART;
    else if (this.#rounds % ROUNDS_IN_A_ROW === 0) this.isPolling = !this.isPolling;
  }
}
