import { writeSync } from "node:fs";
import type { ProgressTerminal } from "./layer-progress.ts";

/**
 * One of this process's streams as progress is written to it: at once, in order with everything else. A terminal that does
 * not know its size, as script(1) and serial lines leave it, counts as one of the usual size.
 */
export function terminalOf(file: NodeJS.WriteStream & { readonly fd: number }): ProgressTerminal {
  return {
    write: (text) => writeWhole(file.fd, text),
    get columns() {
      return file.columns || 80;
    },
    get rows() {
      return file.rows || 24;
    },
  };
}

/** Writes at once, and all of it. */
export function writeWhole(descriptor: number, text: string): void {
  let bytes = Buffer.from(text);
  while (bytes.length > 0) bytes = bytes.subarray(writeSync(descriptor, bytes));
}
