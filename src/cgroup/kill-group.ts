import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { nodeFileSystem } from "../sys/node-modules.ts";
import { identify, openIdentified, sendSignal } from "../sys/process-identity.ts";
import { Signal } from "../sys/signal.ts";
import { isPopulated, processesOf } from "./group.ts";
import { MOUNT } from "./mount-point.ts";

/** How often processes are killed one by one before those that are faster have won. */
const ROUNDS = 1000;

/**
 * Kills all processes of a cgroup and of those below it, also frozen ones: at once by cgroup.kill, which exists since
 * Linux 5.14, before that one by one until there are no more.
 * @throws BunkerError `cgroup_not_killed`; that it is gone is no error
 */
export function killGroup(group: string): void {
  try {
    nodeFileSystem().writeFileSync(`${MOUNT}${group}/cgroup.kill`, "1");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === Errno.ENODEV) return;
    // A missing directory, or the file in it.
    if (errno === Errno.ENOENT || errno === Errno.EOPNOTSUPP) killOneByOne(group);
    else throw new BunkerError({ code: "cgroup_not_killed", operation: "kill the processes of", object: group, errno });
  }
}

function killOneByOne(group: string): void {
  for (let round = 0; round < ROUNDS && isPopulated(group); round++) {
    signalGroup(group, Signal.SIGKILL);
    Bun.sleepSync(1);
  }
}

/** Sends a signal to each process of a cgroup and of those below it. */
export function signalGroup(group: string, signal: number): void {
  for (const pid of processesOf(group)) {
    const identity = identify(pid);
    using pidfd = identity === undefined ? undefined : openIdentified(identity);
    if (pidfd !== undefined) sendSignal(pidfd, signal);
  }
}
