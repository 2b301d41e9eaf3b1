import { writeTextTo } from "../sys/named-file.ts";
import { writeFailure } from "../sys/write-error.ts";

const STANDARD_OUTPUT = 1;

/**
 * Prints a line on standard output. What is printed there is what a command is called for, so other than console.log, by
 * which only help and versions are printed, it fails when not all of it could be written.
 * @throws BunkerError `no_space`, `write_failed`, and `pipe_closed`, which ends the command without a word
 */
export function print(line: string): void {
  const result = writeTextTo(STANDARD_OUTPUT, `${line}\n`);
  if (result < 0) throw writeFailure(-result, "write to", "standard output");
}
