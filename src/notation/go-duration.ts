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

/**
 * Writes a duration as Go's `Duration.String` does: `1h0m30.5s`, and below a second `1.5ms`.
 * @param nanoseconds not negative
 */
export function formatGoDuration(nanoseconds = 0): string {
  if (nanoseconds === 0) return "0s";
  if (nanoseconds < 1e9) return `${decimal(nanoseconds, 1e6)}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${decimal(nanoseconds - minutes * 60e9, 1e9)}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}

/** All digits, without zeros at the end. */
function decimal(value: number, unit: number): string {
  const fraction = String(value % unit)
    .padStart(String(unit).length - 1, "0")
    .replace(/0+$/, "");
  return `${Math.floor(value / unit)}${fraction === "" ? "" : `.${fraction}`}`;
}
