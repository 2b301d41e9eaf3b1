import { writeSync } from "node:fs";
import type { ProgressTerminal } from "./layer-progress.ts";

/**
 * One of this process's streams as progress is written to it: at once, in order with everything else. A terminal that does
 * not know its size, as script(1) and serial lines leave it, counts as one of the usual size.
 */
export function terminalOf(file: NodeJS.WriteStream & { readonly fd: number }): ProgressTerminal {
  return {
    write(text) {
      let bytes = Buffer.from(text);
      while (bytes.length > 0) bytes = bytes.subarray(writeSync(file.fd, bytes));
    },
    get columns() {
      return file.columns || 80;
    },
    get rows() {
      return file.rows || 24;
    },
  };
}
