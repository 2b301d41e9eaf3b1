import { BunkerError } from "../sys/error.ts";
import { limitDevices } from "./device-filter.ts";
import { readGroupFile, requireGroup, writeGroupFile } from "./group.ts";
import { requireControllers } from "./group-tree.ts";
import { controllerOf, type ResourceFile, type Resources, resourceFiles } from "./resource-files.ts";

/**
 * Sets the limits of a cgroup, also while processes run in it.
 * @param group its path in the hierarchy
 * @param resources with rules for devices only where root of the host asks, who alone can see to them
 * @throws BunkerError `limit_not_set`, where those before it hold; `limit_not_supported`, `controller_not_delegated`,
 * `memory_in_use`, `devices_not_limited`, `cgroup_gone`
 */
export function setLimits(group: string, resources: Resources): void {
  const files = resourceFiles(resources);
  requireGroup(group, "limit the processes of the cgroup");
  requireControllers(group, new Set(files.map(controllerOf)));
  checkMemory(group, resources.memory);
  for (const file of files) writeResourceFile(group, file);
  const { devices = [] } = resources;
  if (devices.length > 0) limitDevices(group, devices);
}

/** `memory.checkBeforeUpdate`: rather no new limit than one that kills at once. */
function checkMemory(group: string, memory: Resources["memory"] = {}): void {
  const { limit = 0, checkBeforeUpdate } = memory;
  if (checkBeforeUpdate !== true || limit <= 0) return;
  const used = Number(readGroupFile(group, "memory.current") ?? 0);
  if (used <= limit) return;
  throw new BunkerError({
    code: "memory_in_use",
    operation: "set limit",
    object: "memory.limit",
    reason: `${used} bytes are in use, more than ${limit}`,
  });
}

function writeResourceFile(group: string, { name, value, otherwise }: ResourceFile): void {
  if (otherwise === undefined || readGroupFile(group, name) !== undefined) writeGroupFile(group, name, value);
  else if (otherwise !== "nothing") writeResourceFile(group, otherwise);
}
