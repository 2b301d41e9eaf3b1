import { type WindowSize, windowSize } from "../../sys/terminal.ts";

/** The size of the terminal that the command was started in, undefined without one. */
export function ownTerminalSize(): WindowSize | undefined {
  const STANDARD_INPUT = 0;
  const STANDARD_OUTPUT = 1;
  return windowSize(STANDARD_OUTPUT) ?? windowSize(STANDARD_INPUT);
}
