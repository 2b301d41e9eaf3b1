import { pauseContainer, unpauseContainer } from "../../engine/lifecycle/pause-container.ts";
import type { Container } from "../../engine/state/containers.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { defineCommand } from "../command.ts";
import { type ContainerWork, eachContainer } from "./each-container.ts";
import { meantContainers, selectionOptions } from "./meant-containers.ts";

const forEach = (
  command: string,
  isOfAll: (container: Container) => boolean,
  work: (database: ContainerWork["database"], data: string, container: ContainerWork["container"]) => void,
) =>
  defineCommand(
    {
      options: selectionOptions,
      isBrief: true,
      leave: leaveMemory,
      required: [],
      optional: "[CONTAINER...]",
    },
    ({ options, operands }) =>
      eachContainer(
        meantContainers(command, operands, options, isOfAll),
        ({ database, data, container, reference }) => {
          work(database, data, container);
          return reference;
        },
      ),
  );

/** `bunker pause`. */
export const pause = forEach("bunker pause", ({ status }) => status === "running", pauseContainer);

/** `bunker unpause`. */
export const unpause = forEach("bunker unpause", ({ status }) => status === "paused", unpauseContainer);
