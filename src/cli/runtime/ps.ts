import { containerProcesses } from "../../runtime/lifecycle/container-processes.ts";
import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { defineCommand } from "../command.ts";
import { readProcessRow } from "../process-row.ts";
import { formatOption } from "./format-option.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { renderTable } from "./table.ts";

/** `bunker runtime ps`. */
export const ps = defineCommand(
  {
    options: {
      format: formatOption,
    },
    required: ["ID"],
  },
  ({ options, operands: [id] }, globals: RuntimeGlobals) => {
    using directory = ContainerDirectory.open(stateRoot(globals.root), id);
    const pids = containerProcesses(directory, "list the processes of");
    if (options.format === "json") console.log(JSON.stringify(pids));
    else console.log(renderTable([["UID", "PID", "PPID", "STIME", "TIME", "CMD"], ...pids.flatMap(row)]));
    return 0;
  },
);

/** The row of a process, none if it has ended meanwhile. */
function row(pid: number): string[][] {
  const process = readProcessRow(pid);
  if (process === undefined) return [];
  const { uid, parent, started, time, command } = process;
  return [[String(uid), String(pid), String(parent), started, time, command]];
}
