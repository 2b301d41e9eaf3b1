import { containerDirectory } from "../engine/container-lock.ts";
import { dataDirectory } from "../engine/data-directory.ts";
import { findContainer, listContainers } from "../engine/lifecycle/find-container.ts";
import { type Container, openContainers } from "../engine/state/containers.ts";
import { endpointsOfContainer } from "../engine/state/networks.ts";
import { defineCommand } from "./command.ts";
import { CONTAINER_FILTERS, containerFilter } from "./container/container-filters.ts";
import { portsText } from "./container/port-text.ts";
import { isAlive, statusText } from "./container/status-text.ts";
import { filterOption } from "./filters/filter-option.ts";
import { elapsed } from "./format/elapsed.ts";
import { listFormatOption } from "./format/format-option.ts";
import { humanSize } from "./format/human-size.ts";
import { formatList, type ListDescription } from "./format/list-output.ts";
import { localTime } from "./format/local-time.ts";
import { printText } from "./format/print-text.ts";
import { shortId } from "./format/short-id.ts";
import { shorten } from "./format/shorten.ts";
import type { Structure } from "./format/template/value.ts";
import { flag, single } from "./option.ts";
import { integerBetween } from "./values/numbers.ts";

const LONGEST_COMMAND = 20;

const containerList: ListDescription = {
  titles: {
    Command: "COMMAND",
    CreatedAt: "CREATED AT",
    ID: "CONTAINER ID",
    Image: "IMAGE",
    Labels: "LABELS",
    LocalVolumes: "LOCAL VOLUMES",
    Mounts: "MOUNTS",
    Names: "NAMES",
    Networks: "NETWORKS",
    Ports: "PORTS",
    RunningFor: "CREATED",
    Size: "SIZE",
    State: "STATE",
    Status: "STATUS",
  },
  columns: ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"],
};

/** `bunker ps`. */
export const ps = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Show all containers, not only those that run" }),
      filters: filterOption(CONTAINER_FILTERS, "f"),
      format: listFormatOption,
      last: single({
        name: "last",
        short: "n",
        valueName: "NUMBER",
        description: "Show the last containers that were created, running or not",
        parse: integerBetween(-1, 1_000_000),
        initial: -1,
      }),
      latest: flag({ name: "latest", short: "l", description: "Show the last one only" }),
      whole: flag({ name: "no-trunc", description: "Do not shorten ids and commands" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
      size: flag({ name: "size", short: "s", description: "Show how much they have written" }),
    },
    isBrief: true,
    required: [],
    failureStatus: 1,
  },
  async ({ options }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const networksOf = (container: Container) => {
      const places = endpointsOfContainer(database, container.id).map(({ network }) => network);
      const own = container.definition.membership === undefined ? [container.definition.network] : [];
      return { names: [...own, ...places.map(({ name }) => name)], ids: places.map(({ id }) => id) };
    };
    const fits = containerFilter(
      options.filters,
      (reference) => findContainer(database, data, reference),
      (container) => Object.values(networksOf(container)).flat(),
    );
    const count = options.latest ? 1 : options.last;
    // Whoever names a status, or how many, wants to see also those that do not run.
    const isAll =
      options.all || count >= 0 || options.filters("status").length > 0 || options.filters("exited").length > 0;
    const found = listContainers(database, data).filter(
      (container) => (isAll || isAlive(container)) && fits(container),
    );
    const containers = count >= 0 ? found.slice(0, count) : found;
    if (options.quiet && options.format === undefined) {
      for (const { id } of containers) console.log(options.whole ? id : shortId(id));
      return 0;
    }
    const sizeOf = options.size || options.format !== undefined ? await sizeReader(data) : () => "";
    const rows = containers.map((container) => row(container, sizeOf, (of) => networksOf(of).names, options.whole));
    const { columns } = containerList;
    const list = options.size ? { ...containerList, columns: [...columns, "Size"] } : containerList;
    printText(await formatList(list, options.format, rows));
    return 0;
  },
);

/** What reads how much a container has written; most lists have no use for it. */
async function sizeReader(data: string): Promise<(id: string) => string> {
  const { ownedTreeSize, ownershipOf } = await import("../engine/ownership.ts");
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  return (id) => humanSize(ownedTreeSize(`${containerDirectory(data, id)}/upper`, userNamespace));
}

function row(
  container: Container,
  sizeOf: (id: string) => string,
  networksOf: (container: Container) => readonly string[],
  isWhole: boolean,
): Structure {
  const { id, name, created, outline, status } = container;
  const now = Date.now();
  return {
    Command: commandText(outline.command, isWhole),
    // Only the templates that ask for it pay for the time zone's name: it costs more than all the rest of a list.
    get CreatedAt() {
      return localTime(created);
    },
    ID: isWhole ? id : shortId(id),
    Image: outline.image,
    Label: (key) => container.definition.labels[key] ?? "",
    get Labels() {
      const labels = Object.entries(container.definition.labels);
      return labels.map(([key, value]) => `${key}=${value}`).join(",");
    },
    get LocalVolumes() {
      return String(container.definition.mountPoints.filter(({ type }) => type === "volume").length);
    },
    get Mounts() {
      const sources = container.definition.mountPoints.map(({ name, source }) => name ?? source);
      return sources.map((source) => (isWhole ? source : shorten(source, 15))).join(",");
    },
    Names: name,
    get Networks() {
      return networksOf(container).join(",");
    },
    get Ports() {
      return portsText(container);
    },
    RunningFor: `${elapsed(now - created)} ago`,
    get Size() {
      return sizeOf(id);
    },
    State: status,
    Status: statusText(container, now),
  };
}

function commandText(words: readonly string[], isWhole: boolean): string {
  const text = words.join(" ");
  return JSON.stringify(isWhole ? text : shorten(text, LONGEST_COMMAND));
}
