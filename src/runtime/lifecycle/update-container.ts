import { setLimits } from "../../cgroup/limits.ts";
import { mergeResources, type Resources } from "../../cgroup/resource-files.ts";
import { parseResources } from "../configuration/configuration.ts";
import { containerCgroup } from "./container-cgroup.ts";
import { withObeyedRules } from "./container-group.ts";
import type { ContainerDirectory } from "./container-record.ts";

/**
 * Changes the limits of a container that has been created and has not stopped.
 * @param changes what is put over the limits that it has
 * @throws BunkerError `container_not_running`, `no_cgroup`, and what `setLimits` throws
 */
export function updateContainer(directory: ContainerDirectory, changes: Resources): void {
  directory.lock();
  const { path } = containerCgroup(directory, "update");
  const { linux = {} } = directory.configuration();
  const earlier = directory.read("resources.json");
  const before = earlier === undefined ? linux.resources : parseResources(earlier, `${directory.path}/resources.json`);
  const resources = mergeResources(before ?? {}, changes);
  setLimits(path, withObeyedRules(resources, linux));
  directory.write("resources.json", JSON.stringify(resources));
}
