import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { pauseContainer } from "../../runtime/lifecycle/pause-container.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { defineCommand } from "../command.ts";
import type { RuntimeGlobals } from "./globals.ts";

/** `bunker runtime pause`. */
export const pause = defineCommand({ options: {}, required: ["ID"] }, ({ operands: [id] }, globals: RuntimeGlobals) => {
  using directory = ContainerDirectory.open(stateRoot(globals.root), id);
  pauseContainer(directory);
  return 0;
});
