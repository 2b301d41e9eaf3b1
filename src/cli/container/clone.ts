import { mergeResources } from "../../cgroup/resource-files.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { readRequest } from "../../engine/lifecycle/creation-request.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { removeContainer } from "../../engine/lifecycle/remove-container.ts";
import { readConfiguration } from "../../engine/state/container-configuration.ts";
import { type Container, isNameTaken, openContainers } from "../../engine/state/containers.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";
import { resourceOptions, resourcesOf } from "../resource-options.ts";
import { creationCallbacks } from "../run.ts";
import { parseContainerName } from "../values/words.ts";
import { readContainerNameOperand } from "./name-operand.ts";
import { isAlive } from "./status-text.ts";

/** `bunker container clone`: makes a container as another one was made, from its image; its files are not copied. */
export const clone = defineCommand(
  {
    options: {
      ...resourceOptions,
      destroy: flag({ name: "destroy", description: "Remove the other one" }),
      force: flag({ name: "force", short: "f", description: "With --destroy, also while it runs" }),
      name: single({ name: "name", valueName: "NAME", description: "Its name", parse: parseContainerName }),
      run: flag({ name: "run", description: "Start it" }),
    },
    required: ["CONTAINER"],
    optional: "[NAME]",
    optionalLimit: 1,
  },
  async ({ options, operands: [reference, nameOperand] }) => {
    const changes = resourcesOf(options);
    const { destroy, force, run } = options;
    const data = dataDirectory();
    using database = openContainers(data);
    const container = findContainer(database, data, reference);
    if (destroy && !force && isAlive(container)) throw runs(container);
    const { directory, options: request } = readRequest(data, container.id);
    enter(directory);
    const kept = readConfiguration(data, container.id).linux?.resources;
    // Which devices it may use is found out anew; `update` changes nothing about that.
    const resources = { ...mergeResources(kept ?? {}, changes ?? {}), devices: request.resources?.devices };
    const given = nameOperand === undefined ? options.name : readContainerNameOperand(nameOperand);
    const name = given ?? freeName(database, container.name);
    const { createOnly, runDetached } = await import("../../engine/run.ts");
    const wanted = { ...request, name, resources, restart: container.definition.restart };
    const id = run
      ? await runDetached(wanted, { onCreated: () => {}, preservedDescriptors: 0 }, await creationCallbacks())
      : await createOnly(wanted, await creationCallbacks());
    if (destroy) removeContainer(database, data, container, { force, volumes: false });
    print(id);
    return 0;
  },
);

/** Podman's: the other one's name with `-clone`, and a number where there is one already. */
function freeName(database: StateDatabase, name: string): string {
  for (let count = 0; ; count++) {
    const candidate = `${name}-clone${count === 0 ? "" : count}`;
    if (!isNameTaken(database, candidate)) return candidate;
  }
}

/** The names of files are meant from the directory that the other one was made in. */
function enter(directory: string): void {
  try {
    process.chdir(directory);
  } catch (error) {
    throw new BunkerError({
      code: "directory_gone",
      operation: "change to the directory that the container was made in,",
      object: directory,
      errno: errnoOf(error),
    });
  }
}

function runs({ name, status }: Container): BunkerError {
  return new BunkerError({
    code: "container_running",
    operation: "remove container",
    object: name,
    reason: `it is ${status}`,
    hint: "Stop it first, or say --force too.",
  });
}
