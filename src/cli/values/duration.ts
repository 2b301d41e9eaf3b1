import { InvalidValue } from "../invalid-value.ts";

const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads a duration as Go writes it: `1m30s`, `500ms`, `1.5h`, `0`.
 * @returns milliseconds, not negative
 * @throws InvalidValue
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const duration = /^[+-]/.test(text) ? undefined : signedDuration(text);
  if (duration === undefined) throw new InvalidValue("expected a duration such as 30s, 1m30s or 500ms");
  return duration;
}

/** Reads a duration that may have a sign, and has units; in milliseconds, undefined for what is none. */
export function signedDuration(text: string): number | undefined {
  const isNegative = text.startsWith("-");
  let position = isNegative || text.startsWith("+") ? 1 : 0;
  if (position === text.length) return undefined;
  let sum = 0;
  while (position < text.length) {
    PART.lastIndex = position;
    const [part = "", count, unit = ""] = PART.exec(text) ?? [];
    if (part === "") return undefined;
    sum += Number(count) * (MILLISECONDS[unit] ?? 0);
    position += part.length;
  }
  return isNegative ? -sum : sum;
}
