/** A time as Go prints it, in UTC: `2026-01-02 15:04:05.25 +0000 UTC`. */
export function printTime(time: Date): string {
  return `${time
    .toISOString()
    .replace("T", " ")
    .replace(/\.?0*Z$/, "")} +0000 UTC`;
}
