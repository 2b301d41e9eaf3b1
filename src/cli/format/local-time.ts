/**
 * A time as Go prints it, in the local zone: `2026-01-02 16:04:05 +0100 GMT+1`.
 * @param milliseconds since 1970
 */
export function localTime(milliseconds: number): string {
  const { date, time, offset } = localParts(milliseconds);
  const zone = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" })
    .formatToParts(milliseconds)
    .find(({ type }) => type === "timeZoneName");
  return `${date} ${time} ${offset} ${zone?.value ?? ""}`.trimEnd();
}

/**
 * A time in the form of RFC 3339, in the local zone: `2026-01-02T16:04:05+01:00`.
 * @param milliseconds since 1970
 */
export function localTimestamp(milliseconds: number): string {
  const { date, time, offset } = localParts(milliseconds);
  return `${date}T${time}${offset === "+0000" ? "Z" : `${offset.slice(0, 3)}:${offset.slice(3)}`}`;
}

function localParts(milliseconds: number) {
  const minutes = -new Date(milliseconds).getTimezoneOffset();
  const [date = "", time = ""] = new Date(milliseconds + minutes * 60_000).toISOString().split("T");
  const digits = (number: number) => String(Math.floor(Math.abs(number))).padStart(2, "0");
  const offset = `${minutes < 0 ? "-" : "+"}${digits(minutes / 60)}${digits(minutes % 60)}`;
  return { date, time: time.slice(0, 8), offset };
}
