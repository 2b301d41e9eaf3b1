import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { resumeContainer } from "../../runtime/lifecycle/pause-container.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { defineCommand } from "../command.ts";
import type { RuntimeGlobals } from "./globals.ts";

/** `bunker runtime resume`. */
export const resume = defineCommand(
  { options: {}, required: ["ID"] },
  ({ operands: [id] }, globals: RuntimeGlobals) => {
    using directory = ContainerDirectory.open(stateRoot(globals.root), id);
    resumeContainer(directory);
    return 0;
  },
);
