/*
 * Who builds. Files of stages belong to subordinate ids and are mounted, so the whole of a build is done by a process that
 * is root of the user's user namespace, in a mount namespace of its own: nobody else sees what it mounts, and all of it is
 * gone when it ends. It has the terminal of this one, which waits for it. It is this same command again, with the same
 * words.
 */
import { ownershipOf } from "../engine/ownership.ts";
import { runInterruptibly } from "../runtime/user-namespace-process.ts";
import { CloneFlag } from "../sys/clone.ts";
import { MountFlag } from "../sys/mount.ts";
import { Signal } from "../sys/signal.ts";

/**
 * Has a build done.
 * @param words of the command
 * @param signal has it stop in order, and then ends with its own reason
 * @returns what it reports, JSON
 * @throws BunkerError what it has failed with
 */
export async function startBuild(
  words: readonly string[],
  data: string,
  signal: AbortSignal,
  onWarning: (message: string) => void,
): Promise<string> {
  const { userNamespace, warnings } = ownershipOf({ kind: "default" }, data);
  warnings.forEach(onWarning);
  const input = JSON.stringify({ words, data });
  return runInterruptibly(
    userNamespace,
    {
      words: ["internal", "build"],
      input,
      flags: CloneFlag.NEWNS,
      interruption: Signal.SIGTERM,
      prepare: (program) => {
        program.call("mount", [0, program.text("/"), 0, MountFlag.MS_REC | MountFlag.MS_SLAVE, 0], {
          operation: "separate the mounts from the host's",
        });
        return [];
      },
    },
    signal,
  );
}
