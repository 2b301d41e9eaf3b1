/* The lists of containers that ask for more than the usual one shows; usual-list.ts. */
import { listContainers } from "../../engine/lifecycle/find-container.ts";
import type { Container } from "../../engine/state/containers.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { humanSize } from "../format/human-size.ts";
import { formatList } from "../format/list-output.ts";
import { localTime } from "../format/local-time.ts";
import { shorten } from "../format/shorten.ts";
import type { Structure } from "../format/template/value.ts";
import { networksOf } from "./container-networks.ts";
import { portsText, unpublishedPorts } from "./port-text.ts";
import { chosenOf, containerFields, idLines, isFiltered, type ListOptions, usualWords } from "./usual-list.ts";

const by =
  (text: (container: Container) => string) =>
  (one: Container, other: Container): number =>
    text(one) < text(other) ? -1 : text(one) > text(other) ? 1 : 0;

type Order = (one: Container, other: Container) => number;

const ORDERS: Readonly<Record<Exclude<ListOptions["sort"], "size" | undefined>, Order>> = {
  command: by(({ definition }) => definition.command.join(" ")),
  created: (one, other) => one.created - other.created,
  id: by(({ id }) => id),
  image: by(({ definition }) => definition.image),
  names: by(({ name }) => name),
  runningfor: (one, other) => (one.started ?? 0) - (other.started ?? 0),
  status: by(({ status }) => status),
};

/** Makes what makes any list of containers, as they are when it is called. */
export async function containerList(
  database: StateDatabase,
  data: string,
  options: ListOptions,
): Promise<() => Promise<string>> {
  const { format, isWithoutHeading, namespaces, quiet, size, sort, whole } = options;
  const fits = await filterOf(database, data, options);
  const order = sort === "size" ? await sizeOrder(data) : sort === undefined ? undefined : ORDERS[sort];
  const sizeOf = await sizesFor(data, options);
  const platformOf = format === undefined ? () => "" : (await import("./container-images.ts")).platformReader(data);
  const { titles, columns } = containerFields;
  const list = { titles, columns: size ? [...columns, "Size"] : columns, isWithoutHeading };
  return async () => {
    const chosen = chosenOf(listContainers(database, data).filter(fits), options);
    const containers = order === undefined ? chosen : chosen.toSorted(order);
    if (quiet && format === undefined) return idLines(containers, whole);
    if (namespaces) return (await import("./namespace-list.ts")).namespaceList(containers, options);
    const now = Date.now();
    const rows = containers.map((container) =>
      containerRow(container, sizeOf, platformOf, (of) => networksOf(database, of).names, whole, now),
    );
    return formatList(list, format, rows);
  };
}

/** The test of `--filter`; most lists have none. */
async function filterOf(database: StateDatabase, data: string, options: ListOptions) {
  if (!isFiltered(options)) return () => true;
  return (await import("./container-filters.ts")).containerFilter(database, data, options.filters);
}

/** By how much they have written, each measured once. */
async function sizeOrder(data: string): Promise<Order> {
  const { containerMeasure } = await import("../../engine/files/container-size.ts");
  const measure = containerMeasure(data);
  const sizes = new Map<string, number>();
  const sizeOf = (container: Container): number => {
    const size = sizes.get(container.id) ?? measure(container).written;
    sizes.set(container.id, size);
    return size;
  };
  return (one, other) => sizeOf(one) - sizeOf(other);
}

/**
 * What reads how much a container has written, for a list that has a use for it. To measure that is to walk through all
 * of it, so `--format json` without `--size` says what Docker says then.
 */
async function sizesFor(data: string, { format, size }: ListOptions): Promise<(container: Container) => string> {
  if (!size && (format === undefined || (format.kind === "template" && format.isJson))) return () => humanSize(0);
  const { containerMeasure } = await import("../../engine/files/container-size.ts");
  const measure = containerMeasure(data);
  return (container) => {
    const { written, whole } = measure(container);
    return `${humanSize(written)} (virtual ${humanSize(whole)})`;
  };
}

/**
 * A container as a row of a list.
 * @param sizeOf and the next two are called when the row is asked for what they tell
 * @param isWhole whether nothing is shortened
 * @param now milliseconds since 1970
 */
export function containerRow(
  container: Container,
  sizeOf: (container: Container) => string,
  platformOf: (imageId: string) => string,
  networkNames: (container: Container) => readonly string[],
  isWhole: boolean,
  now: number,
): Structure {
  const { id, name, created, status, started, finished, exitStatus, health, definition } = container;
  const { command, image, labels, mountPoints } = definition;
  const outline = { id, name, created, status, started, finished, exitStatus, health, command, image };
  const { Command, ID, Image, Names, RunningFor, Status } = usualWords(outline, isWhole, now);
  return {
    Command,
    // Only the templates that ask for it pay for the time zone's name: it costs more than all the rest of a list.
    get CreatedAt() {
      return localTime(created);
    },
    HealthStatus: health?.status ?? "",
    ID,
    Image,
    Label: (key) => labels[key] ?? "",
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    LocalVolumes: String(mountPoints.filter(({ type }) => type === "volume").length),
    get Mounts() {
      const sources = mountPoints.map((point) => point.name ?? point.image?.name ?? point.source);
      return sources.map((source) => (isWhole ? source : shorten(source, 15))).join(",");
    },
    Names,
    get Networks() {
      return networkNames(container).join(",");
    },
    get Platform() {
      return platformOf(definition.imageId);
    },
    get Ports() {
      return portsText(container.ports, unpublishedPorts(container));
    },
    RunningFor,
    get Size() {
      return sizeOf(container);
    },
    State: status,
    Status,
  };
}
