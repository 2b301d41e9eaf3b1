import { BunkerError } from "../sys/error.ts";

/**
 * Asks on standard output whether to go on, and reads the answer from standard input, which need not be a terminal.
 * @param warning what would happen, in whole lines
 * @param what is done, for the message when it is not: `image prune`
 * @throws BunkerError `cancelled` for every answer but yes; as in Docker the exit status is 0 then
 */
export async function confirm(warning: string, what: string): Promise<void> {
  process.stdout.write(`${warning}\nAre you sure you want to continue? [y/N] `);
  for await (const line of console) {
    if (/^\s*y(?:es)?\s*$/i.test(line)) return;
    break;
  }
  throw new BunkerError({ code: "cancelled", operation: `${what} has been cancelled`, exitStatus: 0 });
}
