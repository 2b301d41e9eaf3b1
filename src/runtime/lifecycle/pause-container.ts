import { setFrozen } from "../../cgroup/freezer.ts";
import { BunkerError } from "../../sys/error.ts";
import { containerCgroup } from "./container-cgroup.ts";
import type { ContainerDirectory } from "./container-record.ts";

/**
 * Stops all processes of a container where they are.
 * @throws BunkerError `container_not_running` also for one that is paused or not started, `no_cgroup`, `not_frozen`
 */
export function pauseContainer(directory: ContainerDirectory): void {
  change(directory, "pause", "running", true);
}

/**
 * Lets a paused container go on.
 * @throws BunkerError `container_not_paused`, `no_cgroup`, `not_frozen`
 */
export function resumeContainer(directory: ContainerDirectory): void {
  change(directory, "resume", "paused", false);
}

function change(
  directory: ContainerDirectory,
  operation: "pause" | "resume",
  expected: "running" | "paused",
  frozen: boolean,
): void {
  directory.lock();
  const { path } = containerCgroup(directory, operation);
  const { status } = directory.state();
  if (status !== expected) {
    throw new BunkerError({
      code: `container_not_${expected}`,
      operation: `${operation} container`,
      object: directory.id,
      reason: `it is ${status}`,
    });
  }
  setFrozen(path, frozen);
}
