import { describe, expect, test } from "bun:test";
import { PollTrial } from "../../../src/sys/poll-trial.ts";

/** Which of so many rounds are without sleep, when those of each kind take so many milliseconds. */
function kindsOf(trial: PollTrial, rounds: number, polling: number, sleeping: number): boolean[] {
  return Array.from({ length: rounds }, () => {
    const { isPolling } = trial;
    trial.count(isPolling ? polling : sleeping);
    return isPolling;
  });
}

function partOfPolling(trial: PollTrial, polling: number, sleeping: number): number {
  const kinds = kindsOf(trial, 20_000, polling, sleeping);
  return kinds.filter((isPolling) => isPolling).length / kinds.length;
}

describe("PollTrial", () => {
  test("does mostly what makes rounds shorter", () => {
    expect(partOfPolling(new PollTrial(), 0.04, 0.06)).toBeGreaterThan(0.95);
    expect(partOfPolling(new PollTrial(), 0.06, 0.04)).toBeLessThan(0.05);
  });

  test("does not wait without sleep for what comes as early with it", () => {
    expect(partOfPolling(new PollTrial(), 0.098, 0.099)).toBeLessThan(0.05);
  });

  test("sees that what made rounds shorter does so no more, and the other way round", () => {
    const trial = new PollTrial();
    for (const isBetter of [true, false, true]) {
      const kinds = kindsOf(trial, 5_000, isBetter ? 0.04 : 0.3, 0.1);
      expect(kinds.at(-1)).toBe(isBetter);
    }
  });

  test("is not misled by a round of any length", () => {
    const trial = new PollTrial();
    trial.count(99);
    kindsOf(trial, 127, 0.04, 0.06);
    expect(trial.isPolling).toBe(true);
  });

  test("tries again after a pause", () => {
    const trial = new PollTrial();
    kindsOf(trial, 200, 0.06, 0.04);
    expect(trial.isPolling).toBe(false);
    trial.count(1_000);
    expect(trial.isPolling).toBe(true);
    kindsOf(trial, 200, 0.04, 0.06);
    expect(trial.isPolling).toBe(true);
  });
});
