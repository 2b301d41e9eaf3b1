import { setTimeout as delay } from "node:timers/promises";
import { TransientFailure } from "./http/failure.ts";
import type { Patience } from "./patience.ts";

/**
 * Tries something until it succeeds or no attempt is left: exponential backoff with jitter, or what the server asked
 * for, where that is not longer than the longest delay.
 * @param attempt is told which attempt it is, from 0
 * @throws the error of the last `TransientFailure`, everything else as it is
 */
export async function withRetries<Result>(
  patience: Patience,
  signal: AbortSignal,
  attempt: (number: number) => Promise<Result>,
): Promise<Result> {
  for (let number = 0; ; number++) {
    try {
      return await attempt(number);
    } catch (failure) {
      if (!(failure instanceof TransientFailure)) throw failure;
      if (number + 1 >= patience.attempts) throw failure.error;
      await waitBefore(number + 1, failure, patience, signal);
    }
  }
}

/**
 * Waits before another attempt.
 * @param number of the attempt that comes, from 1
 * @throws the failure's error when the server wants to be left alone for longer than the longest delay
 */
export async function waitBefore(
  number: number,
  failure: TransientFailure,
  { firstDelay, longestDelay }: Patience,
  signal: AbortSignal,
): Promise<void> {
  if (failure.delay !== undefined && failure.delay > longestDelay) throw failure.error;
  const backoff = Math.min(firstDelay * 2 ** (number - 1), longestDelay) * (1 - Math.random() / 2);
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
