import type { MadeGroup } from "../../cgroup/runtime-group.ts";
import { BunkerError } from "../../sys/error.ts";
import { openContainerProcess } from "./container-processes.ts";
import type { ContainerDirectory } from "./container-record.ts";

/**
 * The cgroup of a container that runs.
 * @param operation for the message: `pause`
 * @throws BunkerError `container_not_running`, `no_cgroup`
 */
export function containerCgroup(directory: ContainerDirectory, operation: string): MadeGroup {
  using _process = openContainerProcess(directory, operation);
  const group = directory.record()?.group;
  if (group !== undefined) return group;
  throw new BunkerError({
    code: "no_cgroup",
    operation: `${operation} container`,
    object: directory.id,
    reason: "it has no cgroup of its own",
    hint: "containers get one where a cgroup v2 subtree is writable, as systemd's for users who are logged in",
  });
}
