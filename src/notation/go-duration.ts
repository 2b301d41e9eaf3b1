const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * Reads a duration as Go's `time.ParseDuration` does: `1m30s`, `500ms`, `1.5h`, `-2s`, `0`.
 * @returns nanoseconds, undefined for what is no duration
 */
export function parseGoDuration(text: string): number | undefined {
  const [sign = "", amount = ""] = /^([+-]?)(.*)$/s.exec(text)?.slice(1) ?? [];
  if (amount === "0") return 0;
  if (amount === "") return undefined;
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let sum = 0;
  let position = 0;
  while (position < amount.length) {
    part.lastIndex = position;
    const found = part.exec(amount);
    if (found === null) return undefined;
    sum += Number(found[1]) * (NANOSECONDS[found[2] ?? ""] ?? 0);
    position += found[0].length;
  }
  return Math.round(sign === "-" ? -sum : sum);
}

/** Writes a duration as Go does: `500ms`, `1.5s`, `1m0s`, `2h0m30s`. */
export function formatGoDuration(milliseconds: number): string {
  if (milliseconds > 0 && milliseconds < 1000) return `${milliseconds}ms`;
  const minutes = Math.floor(milliseconds / 60_000);
  const hours = Math.floor(minutes / 60);
  const seconds = `${(milliseconds % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes % 60}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
