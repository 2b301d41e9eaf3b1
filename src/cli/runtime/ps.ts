import { containerProcesses } from "../../runtime/lifecycle/container-processes.ts";
import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";
import { formatOption } from "./format-option.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { renderTable } from "./table.ts";

/** `bunker runtime ps`: as with runc, the columns of `ps -ef`, or those that options of ps(1) choose. */
export const ps = defineCommand(
  {
    options: {
      format: formatOption,
    },
    required: ["ID"],
    optional: "[PS-OPTION|COLUMN...]",
    stopAtFirstOperand: true,
  },
  async ({ options, operands: [id, ...words] }, globals: RuntimeGlobals) => {
    using directory = ContainerDirectory.open(stateRoot(globals.root), id);
    const pids = containerProcesses(directory, "list the processes of");
    if (options.format === "json") {
      print(JSON.stringify(pids));
      return 0;
    }
    const { processTable } = await import("../container/processes/process-table.ts");
    print(renderTable(processTable(pids[0] ?? 0, pids, words)));
    return 0;
  },
);
