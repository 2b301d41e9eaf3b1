import { guestProcesses, processesOfEach } from "../../engine/container-processes.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { listContainers } from "../../engine/lifecycle/find-container.ts";
import { notRunning } from "../../engine/lifecycle/not-running.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { defineCommand } from "../command.ts";
import { alignColumns } from "../format/align-columns.ts";
import { printText } from "../format/print-text.ts";
import { namedOrLatest } from "./latest-container.ts";
import { latestOption } from "./latest-option.ts";
import { processTable } from "./processes/process-table.ts";

/** `bunker top`. */
export const top = defineCommand(
  {
    options: { latest: latestOption },
    insteadOfFirst: ["latest"],
    leave: leaveMemory,
    required: ["CONTAINER"],
    optional: "[PS-OPTION|COLUMN...]",
    failureStatus: 1,
    stopAtFirstOperand: true,
  },
  ({ options, operands: [reference, ...words] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = namedOrLatest(database, data, reference, options);
    const { pid, status } = container;
    if ((status !== "running" && status !== "paused") || pid === undefined) {
      throw notRunning("list the processes of", container);
    }
    const members = processesOfEach([pid], guestProcesses(listContainers(database, data))).get(pid) ?? [];
    const lines = processTable(pid, members, words);
    recordContainerEvent(data, "top", container, { psArgs: words.join(" ") || "-ef" });
    printText(alignColumns(lines.map((cells) => `${cells.join("\t")}\n`).join("")));
    return 0;
  },
);
