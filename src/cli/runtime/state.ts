import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";
import type { RuntimeGlobals } from "./globals.ts";

/** `bunker runtime state`. */
export const state = defineCommand(
  { options: {}, isBrief: true, required: ["ID"] },
  ({ operands: [id] }, globals: RuntimeGlobals) => {
    using directory = ContainerDirectory.open(stateRoot(globals.root), id);
    print(JSON.stringify(directory.state(), null, 2));
    return 0;
  },
);
