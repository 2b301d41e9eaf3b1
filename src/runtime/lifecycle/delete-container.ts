import { removeMadeGroup } from "../../cgroup/runtime-group.ts";
import { BunkerError } from "../../sys/error.ts";
import { endsWithin, openIdentified, sendSignal } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import { runLateHooks } from "../late-hooks.ts";
import type { ContainerDirectory } from "./container-record.ts";

/** How long the kernel may take to end a killed process, in seconds. */
const END_LIMIT = 10;

/**
 * Forgets a container. One that waits for its start is killed, one that runs only with `force`. Its mounts have gone
 * with its processes.
 * @param onWarning receives what poststop hooks failed with
 * @throws BunkerError `container_running`
 */
export function deleteContainer(
  directory: ContainerDirectory,
  force: boolean,
  onWarning: (message: string) => void,
): void {
  directory.lock();
  const state = directory.state();
  const record = directory.record();
  if (state.status !== "stopped" && record?.process !== undefined) {
    if (state.status !== "created" && !force) {
      throw new BunkerError({
        code: "container_running",
        operation: "delete container",
        object: directory.id,
        reason: `it is ${state.status}`,
        hint: "kill it first, or use --force",
      });
    }
    using pidfd = openIdentified(record.process);
    if (pidfd !== undefined && sendSignal(pidfd, Signal.SIGKILL) && !endsWithin(pidfd, END_LIMIT)) {
      throw new BunkerError({
        code: "container_running",
        operation: "delete container",
        object: directory.id,
        reason: `process ${record.process.pid} was killed and has not ended within ${END_LIMIT} s`,
      });
    }
  }
  if (record?.group !== undefined) removeMadeGroup(record.group);
  // A creation that was killed early has left no configuration, and has run no hooks.
  const hooks = record?.process === undefined ? undefined : directory.configuration().hooks;
  directory.remove();
  runLateHooks(hooks?.poststop, { ...state, status: "stopped", pid: undefined }, onWarning);
}
