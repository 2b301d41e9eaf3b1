import { createContainer } from "../../runtime/lifecycle/create-container.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { defineCommand } from "../command.ts";
import { createOptionsOf, createOptionsTable } from "./create-options.ts";
import type { RuntimeGlobals } from "./globals.ts";

/** `bunker runtime create`. */
export const create = defineCommand(
  { options: createOptionsTable, isBrief: true, required: ["ID"] },
  async ({ options, operands: [id] }, globals: RuntimeGlobals) => {
    using _container = await createContainer(stateRoot(globals.root), id, createOptionsOf(options, globals, false));
    return 0;
  },
);
