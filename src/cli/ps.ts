import { dataDirectory } from "../engine/data-directory.ts";
import { type Container, listContainers, openContainers } from "../engine/state/containers.ts";
import { defineCommand } from "./command.ts";
import { isAlive, statusText } from "./container/status-text.ts";
import { elapsed } from "./format/elapsed.ts";
import { listFormatOption } from "./format/format-option.ts";
import { formatList, type ListDescription } from "./format/list-output.ts";
import { printText } from "./format/print-text.ts";
import { shortId } from "./format/short-id.ts";
import { shorten } from "./format/shorten.ts";
import { flag } from "./option.ts";

const LONGEST_COMMAND = 20;

const containerList: ListDescription = {
  titles: {
    Command: "COMMAND",
    ID: "CONTAINER ID",
    Image: "IMAGE",
    Names: "NAMES",
    State: "STATE",
    RunningFor: "CREATED",
    Status: "STATUS",
  },
  columns: ["ID", "Image", "Command", "RunningFor", "Status", "Names"],
};

/** `bunker ps`. */
export const ps = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Show all containers, not only those that run" }),
      format: listFormatOption,
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
      whole: flag({ name: "no-trunc", description: "Do not shorten ids and commands" }),
    },
    required: [],
  },
  ({ options }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const containers = listContainers(database, data).filter((container) => options.all || isAlive(container));
    const id = (container: Container) => (options.whole ? container.id : shortId(container.id));
    if (options.quiet && options.format === undefined) {
      for (const container of containers) console.log(id(container));
      return 0;
    }
    const now = Date.now();
    const rows = containers.map((container) => ({
      Command: commandText(container.definition.command, options.whole),
      ID: id(container),
      Image: container.definition.image,
      Names: container.name,
      RunningFor: `${elapsed(now - container.created)} ago`,
      State: container.status,
      Status: statusText(container, now),
    }));
    printText(formatList(containerList, options.format, rows));
    return 0;
  },
);

function commandText(words: readonly string[], whole: boolean): string {
  const text = words.join(" ");
  return JSON.stringify(whole ? text : shorten(text, LONGEST_COMMAND));
}
