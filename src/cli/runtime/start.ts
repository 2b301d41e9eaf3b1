import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { startContainer } from "../../runtime/lifecycle/start-container.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { defineCommand } from "../command.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { warn } from "./log.ts";

/** `bunker runtime start`. */
export const start = defineCommand(
  { options: {}, isBrief: true, required: ["ID"] },
  ({ operands: [id] }, globals: RuntimeGlobals) => {
    using directory = ContainerDirectory.open(stateRoot(globals.root), id);
    startContainer(directory, (message) => warn(globals, message));
    return 0;
  },
);
