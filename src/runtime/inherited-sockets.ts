/*
 * Sockets that systemd, or who acts like it, has opened for this process: sd_listen_fds(3). They are descriptors from 3
 * on, and are passed on to the container under the same numbers. They are for its first process, or for the one behind
 * its init, which finds its own id in its environment when it is executed (steps/command.ts, launch/container-init.ts).
 * A container that is started again by its restart policy has none: they were this process's.
 */

import { BunkerError } from "../sys/error.ts";
import { statusOf } from "../sys/file.ts";

const FIRST = 3;

/** Sockets for the container. */
export interface InheritedSockets {
  /** How many, from descriptor 3 on. */
  readonly count: number;
  /** What the container's process is to know of them: `NAME=value` entries, with any process id. */
  readonly environment: readonly string[];
}

/**
 * The sockets that this process has been given.
 * @param environment and `pid`: this process's
 * @returns undefined when there are none
 * @throws BunkerError `invalid_sockets` when there should be some and are not
 */
export function inheritedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): InheritedSockets | undefined {
  const { LISTEN_PID, LISTEN_FDS = "", LISTEN_FDNAMES } = environment;
  if (LISTEN_PID !== String(pid)) return undefined;
  const what = { code: "invalid_sockets", operation: "pass sockets on" };
  const count = Number(LISTEN_FDS);
  if (!/^\d{1,4}$/.test(LISTEN_FDS)) throw new BunkerError({ ...what, object: `LISTEN_FDS=${LISTEN_FDS}` });
  for (let descriptor = FIRST; descriptor < FIRST + count; descriptor++) {
    const status = statusOf(descriptor);
    if (typeof status !== "number") continue;
    throw new BunkerError({ ...what, object: `descriptor ${descriptor}`, errno: -status });
  }
  if (count === 0) return undefined;
  const names = LISTEN_FDNAMES === undefined ? [] : [`LISTEN_FDNAMES=${LISTEN_FDNAMES}`];
  return { count, environment: [`LISTEN_FDS=${count}`, "LISTEN_PID=1", ...names] };
}
