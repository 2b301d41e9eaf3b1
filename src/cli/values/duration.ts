import { parseGoDuration } from "../../notation/go-duration.ts";
import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads a duration as Go writes it: `1m30s`, `500ms`, `1.5h`, `0`.
 * @returns milliseconds, not negative
 * @throws InvalidValue
 */
export function parseDuration(text: string): number {
  const nanoseconds = parseGoDuration(text);
  if (nanoseconds === undefined || /^[+-]/.test(text)) {
    throw new InvalidValue("expected a duration such as 30s, 1m30s or 500ms");
  }
  return nanoseconds / 1e6;
}

/**
 * Reads a duration of health checks. As with Docker 0 stands for the usual one, and the shortest is a millisecond.
 * @returns milliseconds
 * @throws InvalidValue
 */
export function parseCheckDuration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds > 0 && milliseconds < 1)
    throw new InvalidValue("expected at least 1ms, or 0 for the usual duration");
  return milliseconds;
}
