import type { ArchiveDestination } from "../engine/files/export-container.ts";
import { openFileOutput } from "../image/transport/byte-output.ts";
import { BunkerError } from "../sys/error.ts";
import { single } from "./option.ts";
import { notEmpty } from "./values/words.ts";

const STANDARD_OUTPUT = { descriptor: 1, name: "standard output" };

/** `-o` of the commands that write one archive. */
export const archiveOutputOption = single({
  name: "output",
  short: "o",
  valueName: "FILE",
  description: "Write to a file instead of standard output",
  parse: notEmpty("expected a path"),
});

/**
 * Keeps an archive away from a terminal.
 * @param output the value of `archiveOutputOption`
 * @param operation what the command was about to do, for the message
 * @throws BunkerError `no_output`
 */
export function refuseTerminal(output: string | undefined, operation: string): void {
  if (output !== undefined || !process.stdout.isTTY) return;
  throw new BunkerError({
    code: "no_output",
    operation,
    reason: "standard output is a terminal, which an archive would garble",
    hint: "Give a place with -o.",
  });
}

/**
 * Has an archive written to standard output, or to a file that is seen when it is whole.
 * @param output the value of `archiveOutputOption`
 * @returns what `write` returns
 */
export async function writeArchive<Result>(
  output: string | undefined,
  write: (destination: ArchiveDestination) => Promise<Result>,
): Promise<Result> {
  if (output === undefined) return write(STANDARD_OUTPUT);
  await using file = await openFileOutput(output);
  const result = await write({ descriptor: file.descriptor, name: output });
  await file.commit();
  return result;
}
