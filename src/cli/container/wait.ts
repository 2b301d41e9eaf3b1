import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { supervisorOf } from "../../engine/lifecycle/stop-container.ts";
import { waitForEnd } from "../../engine/supervisor/connect.ts";
import { defineCommand } from "../command.ts";
import { eachContainer } from "./each-container.ts";
import { latestOption, meantContainers } from "./meant-containers.ts";

/** `bunker wait`. */
export const wait = defineCommand(
  { options: { latest: latestOption }, isBrief: true, required: [], optional: "[CONTAINER...]" },
  ({ options, operands }) =>
    eachContainer(meantContainers("bunker wait", operands, options), ({ database, data, container }) => {
      using socket = supervisorOf(database, data, container.id);
      const end = socket === undefined ? undefined : waitForEnd(socket);
      if (end !== undefined) return String(end.exitStatus);
      // It does not run, or its supervisor was killed.
      return String(findContainer(database, data, container.id).exitStatus ?? 0);
    }),
);
