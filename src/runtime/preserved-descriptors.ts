import { BunkerError } from "../sys/error.ts";
import { nodeFileSystem } from "../sys/node-modules.ts";

const FIRST = 3;
/** What Bun opens before all else, and what therefore has the first number that this process was not given. */
const OWN = "anon_inode:[eventpoll]";

/**
 * Sees that this process was given the descriptors that a container's process is to get: from 3 on, under the same
 * numbers.
 * @returns how many
 * @throws BunkerError `no_descriptor`
 */
export function checkedDescriptors(count: number): number {
  for (let descriptor = FIRST; descriptor < FIRST + count; descriptor++) {
    if (isGiven(descriptor)) continue;
    throw new BunkerError({
      code: "no_descriptor",
      operation: "pass on file descriptor",
      object: String(descriptor),
      reason: "this command was not given it",
      hint: `--preserve-fds ${count} passes on ${FIRST} to ${FIRST + count - 1}, which all have to be open.`,
    });
  }
  return count;
}

function isGiven(descriptor: number): boolean {
  try {
    return nodeFileSystem().readlinkSync(`/proc/self/fd/${descriptor}`) !== OWN;
  } catch {
    return false;
  }
}
