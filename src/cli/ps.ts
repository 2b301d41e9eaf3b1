import { dataDirectory } from "../engine/data-directory.ts";
import { listContainers } from "../engine/lifecycle/find-container.ts";
import { type Container, openContainers } from "../engine/state/containers.ts";
import type { StateDatabase } from "../state/state-database.ts";
import { BunkerError } from "../sys/error.ts";
import { defineCommand } from "./command.ts";
import { CONTAINER_FILTERS, type ContainerFilterKey } from "./container/container-filter-keys.ts";
import { networksOf } from "./container/container-networks.ts";
import { portsText } from "./container/port-text.ts";
import { isAlive, statusText } from "./container/status-text.ts";
import { type Filters, filterOption } from "./filters/filter-option.ts";
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
import { oneOf } from "./values/choice.ts";
import { integerBetween } from "./values/numbers.ts";

const LONGEST_COMMAND = 20;

const by =
  (text: (container: Container) => string) =>
  (one: Container, other: Container): number =>
    text(one) < text(other) ? -1 : text(one) > text(other) ? 1 : 0;

const ORDERS = {
  command: by(({ definition }) => definition.command.join(" ")),
  created: (one: Container, other: Container) => one.created - other.created,
  id: by(({ id }) => id),
  image: by(({ definition }) => definition.image),
  names: by(({ name }) => name),
  runningfor: (one: Container, other: Container) => (one.started ?? 0) - (other.started ?? 0),
  status: by(({ status }) => status),
} as const;

const SORT_FIELDS = ["command", "created", "id", "image", "names", "runningfor", "status"] as const;

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
      namespaces: flag({ name: "ns", description: "Show the namespaces that they are in" }),
      isWithoutHeading: flag({ name: "noheading", description: "Leave out the line of titles" }),
      whole: flag({ name: "no-trunc", description: "Do not shorten ids and commands" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
      size: flag({ name: "size", short: "s", description: "Show how much they have written" }),
      sort: single({
        name: "sort",
        valueName: "FIELD",
        description: `The order: ${SORT_FIELDS.join(", ")}; the newest first without it`,
        parse: oneOf(...SORT_FIELDS),
      }),
      // Podman's; what they ask for is so in any case.
      external: flag({
        name: "external",
        description: "Show also other programs' containers; Bunker's store has none",
      }),
      sync: flag({ name: "sync", description: "Ask the kernel how each is; this is always done" }),
      watch: single({
        name: "watch",
        short: "w",
        valueName: "SECONDS",
        description: "Show the list again and again, with so much time between",
        parse: integerBetween(1, 86_400),
      }),
    },
    isBrief: true,
    required: [],
    failureStatus: 1,
  },
  async ({ options }) => {
    const { namespaces, isWithoutHeading, size, watch, whole } = options;
    if (namespaces && (size || options.format !== undefined)) {
      throw new BunkerError({
        code: "conflicting_options",
        operation: `--ns and ${size ? "--size" : "--format"} exclude each other`,
      });
    }
    const data = dataDirectory();
    using database = openContainers(data);
    const look = await looker(database, data, options);
    const sizeOf = size || options.format !== undefined ? await sizeReader(data) : () => "";
    const { titles, columns } = containerList;
    const list = { titles, columns: size ? [...columns, "Size"] : columns, isWithoutHeading };
    const text = async () => {
      const containers = look();
      if (options.quiet && options.format === undefined) {
        return containers.map(({ id }) => `${whole ? id : shortId(id)}\n`).join("");
      }
      if (namespaces) return await (await import("./container/namespace-list.ts")).namespaceList(containers, options);
      const rows = containers.map((container) => row(container, sizeOf, (of) => networksOf(database, of).names, whole));
      return await formatList(list, options.format, rows);
    };
    if (watch === undefined) {
      printText(await text());
      return 0;
    }
    const show = (await import("./format/live-list.ts")).liveList({ noReset: false, noStream: false });
    for (;;) {
      show(await text());
      await Bun.sleep(watch * 1000);
    }
  },
);

interface Choice {
  readonly all: boolean;
  readonly filters: Filters<ContainerFilterKey>;
  readonly last: number;
  readonly latest: boolean;
  readonly sort: (typeof SORT_FIELDS)[number] | undefined;
}

/** Makes what looks up the containers to show. */
async function looker(database: StateDatabase, data: string, { all, filters, last, latest, sort }: Choice) {
  const fits = await filterOf(database, data, filters);
  const count = latest ? 1 : last;
  // Whoever names a status, or how many, wants to see also those that do not run.
  const isAll = all || count >= 0 || filters("status").length > 0 || filters("exited").length > 0;
  return () => {
    const found = listContainers(database, data).filter(
      (container) => (isAll || isAlive(container)) && fits(container),
    );
    const containers = count >= 0 ? found.slice(0, count) : found;
    return sort === undefined ? containers : containers.toSorted(ORDERS[sort]);
  };
}

/** The test of `--filter`; most lists have none. */
async function filterOf(database: StateDatabase, data: string, filters: Filters<ContainerFilterKey>) {
  if (CONTAINER_FILTERS.every((key) => filters(key).length === 0)) return () => true;
  return (await import("./container/container-filters.ts")).containerFilter(database, data, filters);
}

/** What reads how much a container has written; most lists have no use for it. */
async function sizeReader(data: string): Promise<(container: Container) => string> {
  const { containerMeasure } = await import("../engine/files/container-size.ts");
  const measure = containerMeasure(data);
  return (container) => {
    const { written, whole } = measure(container);
    return `${humanSize(written)} (virtual ${humanSize(whole)})`;
  };
}

function row(
  container: Container,
  sizeOf: (container: Container) => string,
  networkNames: (container: Container) => readonly string[],
  isWhole: boolean,
): Structure {
  const { id, name, created, definition, status } = container;
  const now = Date.now();
  return {
    Command: commandText(definition.command, isWhole),
    // Only the templates that ask for it pay for the time zone's name: it costs more than all the rest of a list.
    get CreatedAt() {
      return localTime(created);
    },
    ID: isWhole ? id : shortId(id),
    Image: definition.image,
    Label: (key) => definition.labels[key] ?? "",
    Labels: Object.entries(definition.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    LocalVolumes: String(definition.mountPoints.filter(({ type }) => type === "volume").length),
    get Mounts() {
      const sources = definition.mountPoints.map(({ name, image, source }) => name ?? image?.name ?? source);
      return sources.map((source) => (isWhole ? source : shorten(source, 15))).join(",");
    },
    Names: name,
    get Networks() {
      return networkNames(container).join(",");
    },
    get Ports() {
      return portsText(container);
    },
    RunningFor: `${elapsed(now - created)} ago`,
    get Size() {
      return sizeOf(container);
    },
    State: status,
    Status: statusText(container, now),
  };
}

function commandText(words: readonly string[], isWhole: boolean): string {
  const text = words.join(" ");
  return JSON.stringify(isWhole ? text : shorten(text, LONGEST_COMMAND));
}
