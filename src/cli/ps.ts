import { type ListedContainer, listContainers } from "../engine/container-record.ts";
import { dataDirectory } from "../engine/data-directory.ts";
import { defineCommand } from "./command.ts";
import { flag } from "./option.ts";

const SHORT_ID = 12;
const LONGEST_COMMAND = 20;

/** `bunker ps`. */
export const ps = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Show all containers, not only those that run" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
      whole: flag({ name: "no-trunc", description: "Do not shorten ids and commands" }),
    },
    required: [],
  },
  ({ options }) => {
    const containers = listContainers(dataDirectory()).filter(({ isRunning }) => options.all || isRunning);
    const id = (container: ListedContainer) => (options.whole ? container.id : container.id.slice(0, SHORT_ID));
    if (options.quiet) {
      for (const container of containers) console.log(id(container));
      return 0;
    }
    const now = Date.now();
    const rows = containers.map((container) => [
      id(container),
      container.image,
      commandText(container.command, options.whole),
      `${elapsed(now - container.created)} ago`,
      status(container, now),
      container.name ?? "",
    ]);
    printTable(["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "NAMES"], rows);
    return 0;
  },
);

function commandText(words: readonly string[], whole: boolean): string {
  const text = words.join(" ");
  return JSON.stringify(whole || text.length <= LONGEST_COMMAND ? text : `${text.slice(0, LONGEST_COMMAND - 1)}…`);
}

function status(container: ListedContainer, now: number): string {
  if (container.isRunning) return `Up ${elapsed(now - container.created)}`;
  const { exitStatus, finished } = container;
  if (exitStatus === undefined || finished === undefined) return "Dead";
  return `Exited (${exitStatus}) ${elapsed(now - finished)} ago`;
}

/** A duration as Docker writes it: `Less than a second`, `42 seconds`, `About a minute`, `3 hours`. */
function elapsed(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(minutes / 60);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** Columns as wide as their widest cell, three spaces apart; widths count terminal cells. */
function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(...[header, ...rows].map((row) => Bun.stringWidth(row[column] ?? title))),
  );
  for (const row of [header, ...rows]) {
    const cells = row.map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell)));
    console.log(cells.join("   ").trimEnd());
  }
}
