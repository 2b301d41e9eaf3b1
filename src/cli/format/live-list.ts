/* Lists that are shown again and again; on a terminal each takes the place of the one before. */
import { isTerminal } from "../../sys/terminal.ts";
import { flag, single } from "../option.ts";
import { integerBetween } from "../values/numbers.ts";
import { printText } from "./print-text.ts";

const CLEAR_SCREEN = "\x1b[2J";
const TO_BEGINNING = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** The options of commands that show such lists. */
export const liveListOptions = {
  interval: single({
    name: "interval",
    short: "i",
    valueName: "SECONDS",
    description: "The time from one list to the next",
    parse: integerBetween(1, 86_400),
    initial: 1,
    initialText: "1",
  }),
  noReset: flag({ name: "no-reset", description: "Do not clear the screen for each list" }),
  noStream: flag({ name: "no-stream", description: "Show one list only" }),
};

/**
 * Begins such lists.
 * @returns shows the next one
 */
export function liveList({ noReset, noStream }: { readonly noReset: boolean; readonly noStream: boolean }) {
  const takesScreen = !noReset && !noStream && isTerminal(1);
  if (takesScreen) printText(CLEAR_SCREEN);
  return (text: string) => printText(takesScreen ? onScreen(text) : text);
}

/** A list in place of the one before. */
function onScreen(text: string): string {
  return TO_BEGINNING + text.trimEnd().replaceAll("\n", `${CLEAR_LINE}\n`) + CLEAR_LINE + CLEAR_BELOW;
}
