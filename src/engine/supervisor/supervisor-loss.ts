import { BunkerError } from "../../sys/error.ts";
import { waitForExit } from "../../sys/process.ts";
import { endsWithin } from "../../sys/process-identity.ts";
import { openProcess } from "../../sys/reactor.ts";
import { signalName } from "../../sys/signal.ts";

/** A supervisor has gone without having said how its container ended. */
export interface SupervisorLoss {
  readonly kind: "lost";
  /** What it said that it failed of. */
  readonly reason: string | undefined;
}

/** Seconds after which a process that has closed its sockets has ended, whatever the load. */
const PATIENCE = 10;

/**
 * The error for a container whose supervisor has gone, and which is gone by that.
 * @param name the container's
 * @param child the supervisor's pid where it is this process's child, so that its end can be told
 */
export function supervisorLost(name: string, { reason }: SupervisorLoss, child?: number): BunkerError {
  const how = reason === undefined ? endOf(child) : `failed: ${reason}`;
  return new BunkerError({
    code: "supervisor_lost",
    operation: "wait for container",
    object: name,
    reason: `its supervisor ${how}, and the container has ended with it`,
    exitStatus: 255,
  });
}

/** How a child has ended, for messages: `was killed by SIGKILL`. */
export function endOf(child: number | undefined): string {
  if (child === undefined) return "was killed";
  using pidfd = openProcess(child);
  if (!endsWithin(pidfd, PATIENCE)) return "does not answer any more";
  const end = waitForExit(child);
  return "signal" in end ? `was killed by ${signalName(end.signal)}` : `failed with exit status ${end.exitCode}`;
}
