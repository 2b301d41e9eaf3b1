import { setTimeout as delay } from "node:timers/promises";
import { TransientFailure } from "./http/failure.ts";
import type { Patience } from "./patience.ts";

/**
 * Tries something until it succeeds or no attempt is left: exponential backoff with jitter, or what the server asked
 * for, where that is not longer than the longest delay.
 * @throws the error of the last `TransientFailure`, everything else as it is
 */
export async function withRetries<Result>(
  patience: Patience,
  signal: AbortSignal,
  attempt: () => Promise<Result>,
): Promise<Result> {
  for (let failures = 0; ; ) {
    try {
      return await attempt();
    } catch (failure) {
      if (!(failure instanceof TransientFailure)) throw failure;
      failures += failure.weight;
      if (failures >= patience.attempts) throw failure.error;
      await waitAfter(failures, failure, patience, signal);
    }
  }
}

/**
 * Waits before another attempt.
 * @param failures so far, since something last succeeded
 * @throws the failure's error when the server wants to be left alone for longer than the longest delay
 */
export async function waitAfter(
  failures: number,
  failure: TransientFailure,
  { firstDelay, delayGrowth, longestDelay }: Patience,
  signal: AbortSignal,
): Promise<void> {
  if (failure.delay !== undefined && failure.delay > longestDelay) throw failure.error;
  const backoff = Math.min(firstDelay * delayGrowth ** (failures - 1), longestDelay) * (1 - Math.random() / 2);
  try {
    await delay(failure.delay ?? backoff, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}

/**
 * The milliseconds of a Retry-After header, in seconds or as a date; RFC 9110, section 10.2.3.
 * @returns undefined when there is none
 */
export function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  if (Number.isNaN(date)) return undefined;
  // The server's own clock, where it tells it: this machine's may be wrong.
  const now = Date.parse(headers.get("date") ?? "");
  return Math.max(date - (Number.isNaN(now) ? Date.now() : now), 0);
}
