import { setLimits } from "../../cgroup/limits.ts";
import { mergeResources, type Resources, resourceFiles } from "../../cgroup/resource-files.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { recordContainerEvent } from "../events/journal.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { RestartPolicy } from "../state/container-definition.ts";
import { containerDirectory } from "../state/container-lock.ts";
import { type Container, containerWithId, recordRestartPolicy } from "../state/containers.ts";
import { replaceConfiguration } from "../state/replace-configuration.ts";

/** What is to be changed of a container. */
export interface ContainerChanges {
  /** Put over the limits that it has; undefined leaves them as they are. */
  readonly resources: Resources | undefined;
  readonly restart: RestartPolicy | undefined;
}

/**
 * Changes the limits of a container, at once if it runs, and for its next starts; and what happens at its end.
 * @throws BunkerError `no_cgroup` for one that runs without a cgroup of its own, `limit_not_set`,
 * `limit_not_supported`, `conflicting_options` for a policy of one that is removed at its end; everything is as before
 * then
 */
export function updateContainer(
  database: StateDatabase,
  data: string,
  container: Container,
  { resources, restart }: ContainerChanges,
): void {
  if (restart !== undefined && restart.name !== "no" && container.definition.remove) {
    throw new BunkerError({
      code: "conflicting_options",
      operation: "update container",
      object: container.name,
      reason: "it was started with --rm, so it is removed when it ends and not started again",
      exitStatus: 1,
    });
  }
  // One update after the other: each writes again what others may have changed since the container was looked for.
  database.transaction(() => {
    const now = containerWithId(database, container.id) ?? container;
    if (resources !== undefined) updateLimits(data, now, resources);
    if (restart !== undefined) recordRestartPolicy(database, now, restart);
  });
  recordContainerEvent(data, "update", container);
}

function updateLimits(data: string, { id, name, cgroup, status }: Container, changes: Resources): void {
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
  replaceConfiguration(path, { ...configuration, linux: { ...configuration.linux, resources } });
}
