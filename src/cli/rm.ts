import { listContainers } from "../engine/lifecycle/find-container.ts";
import { removeContainer } from "../engine/lifecycle/remove-container.ts";
import { stopContainer } from "../engine/lifecycle/stop-container.ts";
import { joinedContainers } from "../engine/namespaces/namespace-mode.ts";
import { type Container, isKnown } from "../engine/state/containers.ts";
import { leaveMemory } from "../launch/leave-memory.ts";
import { BunkerError } from "../sys/error.ts";
import { defineCommand } from "./command.ts";
import { CONTAINER_FILTERS } from "./container/container-filter-keys.ts";
import { eachContainer } from "./container/each-container.ts";
import { ifMissing, ignoreOption, meantContainers, selectionOptions } from "./container/meant-containers.ts";
import { filterOption } from "./filters/filter-option.ts";
import { flag, single } from "./option.ts";
import { integerBetween } from "./values/numbers.ts";

/** `bunker rm`. */
export const rm = defineCommand(
  {
    options: {
      ...selectionOptions,
      // Its -f is --force.
      filters: filterOption(CONTAINER_FILTERS),
      ignore: ignoreOption,
      depend: flag({ name: "depend", description: "Remove also the containers that have joined its namespaces" }),
      force: flag({ name: "force", short: "f", description: "Kill it first if it runs; no error if it is not there" }),
      timeout: single({
        name: "time",
        short: "t",
        valueName: "SECONDS",
        description: "With --force, how long it has to end before it is killed; -1 for ever",
        parse: integerBetween(-1, 2 ** 31 - 1),
      }),
      volumes: flag({ name: "volumes", short: "v", description: "Remove its volumes without a name, too" }),
    },
    isBrief: true,
    leave: leaveMemory,
    required: [],
    optional: "[CONTAINER...]",
  },
  ({ options, operands }) => {
    const { depend, force, ignore, timeout } = options;
    if (timeout !== undefined && !force) {
      throw new BunkerError({
        code: "conflicting_options",
        operation: "--time needs --force: without it no container is stopped",
      });
    }
    return eachContainer(
      meantContainers("bunker rm", operands, options),
      ({ database, data, container, reference }) => {
        const dependents = depend ? dependentsOf(listContainers(database, data), container) : [];
        for (const one of [...dependents, container]) {
          // Several may have been meant to remove the same dependent; that the container itself is gone is to be told.
          if (one !== container && !isKnown(database, one.id)) continue;
          if (timeout !== undefined) stopContainer(database, data, one, { timeout });
          removeContainer(database, data, one, options);
        }
        return reference;
      },
      ifMissing(ignore, force ? "told" : "failure"),
    );
  },
);

/** The containers that have joined namespaces of another one. Whose those are was resolved when they were made. */
function dependentsOf(containers: readonly Container[], { id }: Container): readonly Container[] {
  return containers.filter(({ definition }) => joinedContainers(definition).includes(id));
}
