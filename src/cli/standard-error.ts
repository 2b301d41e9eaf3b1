import { nodeFileSystem } from "../sys/node-modules.ts";

const STANDARD_ERROR = 2;

/** Where messages go. `console.error` would not do: on a terminal Bun colours what it writes. */
export const standardError = {
  writeLine(line: string): void {
    try {
      nodeFileSystem().writeSync(STANDARD_ERROR, `${line}\n`);
    } catch {
      // Nobody is there to be told.
    }
  },
};
