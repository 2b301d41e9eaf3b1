import { processesOfEach } from "../../engine/container-processes.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { notRunning } from "../../engine/lifecycle/stop-container.ts";
import { findContainer, openContainers } from "../../engine/state/containers.ts";
import { nearestName } from "../../nearest-name.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { alignColumns } from "../format/align-columns.ts";
import { printText } from "../format/print-text.ts";
import { type ProcessRow, readProcessRow } from "../process-row.ts";

const columns = {
  user: { title: "UID", value: (row) => String(row.uid) },
  uid: { title: "UID", value: (row) => String(row.uid) },
  pid: { title: "PID", value: (row) => String(row.pid) },
  ppid: { title: "PPID", value: (row) => String(row.parent) },
  hpid: { title: "HPID", value: (row) => String(row.pid) },
  stime: { title: "STIME", value: (row) => row.started },
  time: { title: "TIME", value: (row) => row.time },
  args: { title: "CMD", value: (row) => row.command },
  cmd: { title: "CMD", value: (row) => row.command },
  comm: { title: "COMMAND", value: (row) => row.name },
} as const satisfies Readonly<Record<string, { title: string; value: (row: ProcessRow) => string }>>;

const usual = ["uid", "pid", "ppid", "stime", "time", "cmd"];

/** `bunker top`: processes by their numbers on the host, as with Docker. */
export const top = defineCommand(
  { options: {}, required: ["CONTAINER"], optional: "[COLUMN...]", failureStatus: 1, stopAtFirstOperand: true },
  ({ operands: [reference, ...words] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = findContainer(database, data, reference);
    if (container.status !== "running" || container.pid === undefined)
      throw notRunning("list the processes of", container);
    const names = columnNames(words);
    const chosen = names.map((name) => columns[name as keyof typeof columns]);
    const rows = (processesOfEach([container.pid]).get(container.pid) ?? []).flatMap(
      (pid) => readProcessRow(pid) ?? [],
    );
    const lines = [chosen.map(({ title }) => title), ...rows.map((row) => chosen.map(({ value }) => value(row)))];
    printText(alignColumns(lines.map((cells) => `${cells.join("\t")}\n`).join("")));
    return 0;
  },
);

/** The columns that are asked for: by name, with commas or blanks between, also behind `-o` as for ps(1). */
function columnNames(words: readonly string[]): readonly string[] {
  const names = words
    .flatMap((word) => (word === "-o" || word === "-ef" ? [] : word.replace(/^-o/, "").split(",")))
    .map((name) => name.toLowerCase());
  for (const name of names) {
    if (Object.hasOwn(columns, name)) continue;
    const nearest = nearestName(name, Object.keys(columns));
    throw new BunkerError({
      code: "unknown_column",
      operation: "show the column",
      object: JSON.stringify(name),
      reason: `expected ${Object.keys(columns).join(", ")}`,
      hint:
        nearest === undefined
          ? "Bunker lists processes itself and runs no ps on the host."
          : `Did you mean ${nearest}?`,
    });
  }
  return names.length === 0 ? usual : names;
}
