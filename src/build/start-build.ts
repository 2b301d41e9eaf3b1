/*
 * The process that builds: root of the user's user namespace, in a mount namespace of its own, so that nobody else sees
 * what it mounts, and all of it is gone when it ends. It has the terminal of this one, which waits for it. It is this same
 * command again, with the same words; why there are two of them, says hand-over.ts.
 */
import { ownershipOf } from "../engine/ownership.ts";
import { runInterruptibly } from "../runtime/user-namespace-process.ts";
import { CloneFlag } from "../sys/clone.ts";
import { MountFlag } from "../sys/mount.ts";
import { Signal } from "../sys/signal.ts";
import type { FoundKeys } from "./files/context-keys.ts";

/** What the process is told. */
interface BuildStart {
  /** Of the command. */
  readonly words: readonly string[];
  /** Bunker's data directory. */
  readonly data: string;
  /** What is known of the context. */
  readonly found: FoundKeys;
}

/**
 * Has a build done.
 * @param signal has it stop in order, and then ends with its own reason
 * @returns what it reports, JSON
 * @throws BunkerError what it has failed with
 */
export async function startBuild(
  start: BuildStart,
  signal: AbortSignal,
  onWarning: (message: string) => void,
): Promise<string> {
  const { userNamespace, warnings } = ownershipOf({ kind: "default" }, start.data);
  warnings.forEach(onWarning);
  const input = JSON.stringify(start);
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
