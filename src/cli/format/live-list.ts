/* Lists on a terminal that take the place of the one before. */

export const CLEAR_SCREEN = "\x1b[2J";
const TO_BEGINNING = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** A list in place of the one before. */
export function onScreen(text: string): string {
  return TO_BEGINNING + text.trimEnd().replaceAll("\n", `${CLEAR_LINE}\n`) + CLEAR_LINE + CLEAR_BELOW;
}
