import { namespaceOf } from "../../sys/namespace.ts";
import { endsWithin, openIdentified } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { Container } from "../state/containers.ts";

/** Seconds that a process that was killed is waited for. */
const PATIENCE = 1;

/**
 * Kills the first process of a container whose supervisor has gone, if it is still there, and with it all others of its pid
 * namespace. The kernel does that when the supervisor dies, unless the process has changed its user since it was launched,
 * as the entrypoints of many images do: that unties the two (PR_SET_PDEATHSIG of prctl(2)).
 * @param container as it was recorded when it was started
 */
export function killFirstProcess({ pid, startTime }: Pick<Container, "pid" | "startTime">): void {
  if (pid === undefined || startTime === undefined) return;
  using pidfd = openIdentified({ pid, startTime });
  // After a reboot, a process of the host's may have come to the same pid after the same time.
  if (pidfd === undefined || namespaceOf(pid, "mnt") === namespaceOf("self", "mnt")) return;
  if (systemCall(SystemCall.pidfd_send_signal, pidfd.number, Signal.SIGKILL, 0, 0) === 0) endsWithin(pidfd, PATIENCE);
}
