import { pauseContainer, unpauseContainer } from "../../engine/lifecycle/pause-container.ts";
import { defineCommand } from "../command.ts";
import { type ContainerWork, eachContainer } from "./each-container.ts";

const forEach = (
  work: (database: ContainerWork["database"], data: string, container: ContainerWork["container"]) => void,
) =>
  defineCommand({ options: {}, required: ["CONTAINER"], optional: "[CONTAINER...]" }, ({ operands }) =>
    eachContainer(operands, ({ database, data, container, reference }) => {
      work(database, data, container);
      return reference;
    }),
  );

/** `bunker pause`. */
export const pause = forEach(pauseContainer);

/** `bunker unpause`. */
export const unpause = forEach(unpauseContainer);
