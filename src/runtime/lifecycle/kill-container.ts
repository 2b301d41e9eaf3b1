import { killGroup, signalGroup } from "../../cgroup/kill-group.ts";
import { identify, openIdentified, sendSignal } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import { containerProcesses, openContainerProcess } from "./container-processes.ts";
import type { ContainerDirectory } from "./container-record.ts";

/**
 * Sends a signal to a container's first process, or to all of its processes.
 * @throws BunkerError `container_not_running`; to signal all processes of a stopped container is no error
 */
export function killContainer(directory: ContainerDirectory, signal: number, all: boolean): void {
  if (!all) {
    using pidfd = openContainerProcess(directory, "signal");
    sendSignal(pidfd, signal);
    return;
  }
  const group = directory.record()?.group;
  if (group !== undefined) {
    if (signal === Signal.SIGKILL) killGroup(group.path);
    else signalGroup(group.path, signal);
    return;
  }
  for (const pid of containerProcesses(directory, "signal all processes of")) {
    const identity = identify(pid);
    using pidfd = identity === undefined ? undefined : openIdentified(identity);
    if (pidfd !== undefined) sendSignal(pidfd, signal);
  }
}
