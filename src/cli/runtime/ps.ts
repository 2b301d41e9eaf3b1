import { readFileSync, statSync } from "node:fs";
import { containerProcesses } from "../../runtime/lifecycle/container-processes.ts";
import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { processStatus } from "../../sys/process-identity.ts";
import { defineCommand } from "../command.ts";
import { formatOption } from "./format-option.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { renderTable } from "./table.ts";

/** Per second, on every architecture's user interface; proc_pid_stat(5). */
const CLOCK_TICKS = 100;

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
  const status = processStatus(pid);
  if (status === undefined) return [];
  try {
    const { uid } = statSync(`/proc/${pid}`);
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    const command = words.length > 0 ? words.join(" ") : `[${readFileSync(`/proc/${pid}/comm`, "utf8").trim()}]`;
    const uptime = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
    const started = new Date(Date.now() - 1000 * (uptime - status.startTime / CLOCK_TICKS));
    return [
      [
        String(uid),
        String(pid),
        String(status.parent),
        started.toTimeString().slice(0, 5),
        clock(status.time / CLOCK_TICKS),
        command.replace(/\p{Cc}/gu, "?"),
      ],
    ];
  } catch {
    return [];
  }
}

/** Seconds as HH:MM:SS. */
function clock(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
