/** A duration as Docker writes it: `Less than a second`, `42 seconds`, `About a minute`, `3 hours`. */
export function elapsed(milliseconds: number): string {
  const seconds = whole(milliseconds, 1000);
  const minutes = whole(seconds, 60);
  const hours = whole(minutes + 30, 60);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${whole(hours, 24)} days`;
  if (hours < 24 * 60) return `${whole(hours, 24 * 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${whole(hours, 24 * 30)} months`;
  return `${whole(hours, 24 * 365)} years`;
}

/** How often a unit fits into a duration. Not by Math, whose functions are all made when the first of them is mentioned. */
function whole(duration: number, unit: number): number {
  return (duration - (duration % unit)) / unit;
}
