import { print } from "../print.ts";

/** Prints text that brings its own line breaks. */
export function printText(text: string): void {
  if (text !== "") print(text.endsWith("\n") ? text.slice(0, -1) : text);
}
