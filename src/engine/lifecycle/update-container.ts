import { renameSync, writeFileSync } from "node:fs";
import { setLimits } from "../../cgroup/limits.ts";
import { mergeResources, type Resources, resourceFiles } from "../../cgroup/resource-files.ts";
import { formatConfiguration } from "../../runtime/configuration/configuration.ts";
import { BunkerError } from "../../sys/error.ts";
import { readConfiguration } from "../container-configuration.ts";
import { containerDirectory } from "../container-lock.ts";
import { recordContainerEvent } from "../events/journal.ts";
import type { Container } from "../state/containers.ts";

/**
 * Changes the limits of a container: at once if it runs, and for its next starts.
 * @param changes what is put over the limits that it has
 * @throws BunkerError `no_cgroup` for one that runs without a cgroup of its own, `limit_not_set`,
 * `limit_not_supported`; what is kept for the next start is as before then
 */
export function updateContainer(data: string, container: Container, changes: Resources): void {
  const { id, name, cgroup, status } = container;
  const configuration = readConfiguration(data, id);
  const before = configuration.linux?.resources ?? {};
  const resources = mergeResources(before, changes);
  // Also for one that does not run: nonsense is not kept.
  resourceFiles(resources);
  if (status === "running" || status === "paused") {
    if (cgroup === undefined) {
      throw new BunkerError({
        code: "no_cgroup",
        operation: "update container",
        object: name,
        reason: "it runs without a cgroup of its own",
        hint: "stop it, update it, and start it again",
        exitStatus: 1,
      });
    }
    setLimits(cgroup, resources);
  }
  const path = `${containerDirectory(data, id)}/config.json`;
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, formatConfiguration({ ...configuration, linux: { ...configuration.linux, resources } }));
  renameSync(aside, path);
  recordContainerEvent(data, "update", container);
}
