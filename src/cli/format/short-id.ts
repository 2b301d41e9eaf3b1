/** Digits of an id that suffice to people. */
const SHORT_ID = 12;

/** An id as lists show it: twelve digits, without the digest's algorithm. */
export function shortId(id: string): string {
  return id.slice(id.indexOf(":") + 1).slice(0, SHORT_ID);
}
