import { notRunning } from "../../engine/lifecycle/stop-container.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { eachContainer } from "./each-container.ts";

/** `bunker pause` and `unpause`, which say why not. */
const freezing = (operation: string) =>
  defineCommand({ options: {}, required: ["CONTAINER"], optional: "[CONTAINER...]" }, ({ operands }) =>
    eachContainer(operands, ({ container }) => {
      if (container.status !== "running") throw notRunning(`${operation} container`, container);
      throw new BunkerError({
        code: "no_freezer",
        operation: `${operation} container`,
        object: container.name,
        reason: "only the freezer of a control group can do that, and Bunker's containers have none yet",
        hint: "bunker kill --signal STOP stops its first process, and --signal CONT lets it go on.",
        exitStatus: 1,
      });
    }),
  );

export const pause = freezing("pause");
export const unpause = freezing("unpause");
