/*
 * The list of containers that `ps` shows unless it is asked for another: made from outlines, and by little code.
 * container-list.ts makes all others, of the same words.
 */
import { listOutlines } from "../../engine/lifecycle/list-outlines.ts";
import type { ContainerOutline } from "../../engine/state/container-outline.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import type { Filters } from "../filters/filter-option.ts";
import { elapsed } from "../format/elapsed.ts";
import type { OutputFormat } from "../format/format-option.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { shortId } from "../format/short-id.ts";
import { shorten } from "../format/shorten.ts";
import type { Structure } from "../format/template/value.ts";
import { CONTAINER_FILTERS, type ContainerFilterKey } from "./container-filter-keys.ts";
import { isAlive, statusText } from "./status-text.ts";

const LONGEST_COMMAND = 20;

/** What a list can be ordered by. */
export const SORT_FIELDS = ["command", "created", "id", "image", "names", "runningfor", "size", "status"] as const;

/** What `ps` was asked for. */
export interface ListOptions {
  readonly all: boolean;
  readonly filters: Filters<ContainerFilterKey>;
  readonly format: OutputFormat | undefined;
  readonly isWithoutHeading: boolean;
  /** How many at most; as with Docker, no limit unless it is positive. */
  readonly last: number;
  readonly latest: boolean;
  readonly namespaces: boolean;
  readonly quiet: boolean;
  readonly size: boolean;
  readonly sort: (typeof SORT_FIELDS)[number] | undefined;
  /** Whether nothing is shortened. */
  readonly whole: boolean;
}

/** The fields of a list of containers. */
export const containerFields: ListDescription = {
  titles: {
    Command: "COMMAND",
    CreatedAt: "CREATED AT",
    HealthStatus: "HEALTH STATUS",
    ID: "CONTAINER ID",
    Image: "IMAGE",
    Labels: "LABELS",
    LocalVolumes: "LOCAL VOLUMES",
    Mounts: "MOUNTS",
    Names: "NAMES",
    Networks: "NETWORKS",
    Platform: "PLATFORM",
    Ports: "PORTS",
    RunningFor: "CREATED",
    Size: "SIZE",
    State: "STATE",
    Status: "STATUS",
  },
  columns: ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"],
};

/**
 * The usual list.
 * @returns undefined when it is not the usual one that is asked for, or not to be had: see `listOutlines`
 */
export async function usualList(
  database: StateDatabase,
  data: string,
  options: ListOptions,
): Promise<string | undefined> {
  const { format, isWithoutHeading, namespaces, quiet, size, sort, whole } = options;
  if (format !== undefined || namespaces || size || sort !== undefined || isFiltered(options)) return undefined;
  const outlines = listOutlines(database, data);
  if (outlines === undefined) return undefined;
  const shown = chosenOf(outlines, options);
  if (quiet) return idLines(shown, whole);
  // Loops, because methods of arrays that are JavaScript inside the engine cost 0.1 ms at their first call.
  const now = Date.now();
  const rows: Structure[] = [];
  let portsOf: ((ports: NonNullable<ContainerOutline["ports"]>) => string) | undefined;
  for (const outline of shown) {
    // Few have any, and addresses take some code.
    if (outline.ports !== undefined) portsOf ??= (await import("./outlined-ports.ts")).outlinedPortsText;
    const Ports = outline.ports === undefined ? "" : portsOf?.(outline.ports);
    rows.push({ ...usualWords(outline, whole, now), Ports });
  }
  return formatList({ ...containerFields, isWithoutHeading }, undefined, rows);
}

/** Whether there is any `--filter`. */
export function isFiltered({ filters }: Pick<ListOptions, "filters">): boolean {
  for (const key of CONTAINER_FILTERS) if (filters(key).length > 0) return true;
  return false;
}

/** Which of all containers that pass the filters a list shows. */
export function chosenOf<Listed extends Pick<ContainerOutline, "status">>(
  containers: readonly Listed[],
  { all, filters, last, latest }: ListOptions,
): readonly Listed[] {
  const count = latest ? 1 : last;
  // Whoever names a status, or how many, wants to see also those that do not run.
  const isAll = all || count > 0 || filters("status").length > 0 || filters("exited").length > 0;
  const found: Listed[] = [];
  for (const container of containers) if (isAll || isAlive(container)) found.push(container);
  return count > 0 ? found.slice(0, count) : found;
}

/** A list of ids alone. */
export function idLines(containers: readonly Pick<ContainerOutline, "id">[], isWhole: boolean): string {
  return containers.map(({ id }) => `${isWhole ? id : shortId(id)}\n`).join("");
}

/**
 * What the usual list says of a container besides its ports.
 * @param isWhole whether nothing is shortened
 * @param now milliseconds since 1970
 */
export function usualWords(
  container: Omit<ContainerOutline, "ports">,
  isWhole: boolean,
  now: number,
): Readonly<Record<"Command" | "ID" | "Image" | "Names" | "RunningFor" | "Status", string>> {
  const words = commandText(container.command);
  return {
    Command: JSON.stringify(isWhole ? words : shorten(words, LONGEST_COMMAND)),
    ID: isWhole ? container.id : shortId(container.id),
    Image: container.image,
    Names: container.name,
    RunningFor: `${elapsed(now - container.created)} ago`,
    Status: statusText(container, now),
  };
}

/** A command in one line. As with Docker, arguments with spaces are in quotation marks, so that one sees where they end. */
function commandText(command: readonly string[]): string {
  let text = "";
  let isFirst = true;
  for (const word of command) {
    text += isFirst ? word : word.includes(" ") ? ` '${word}'` : ` ${word}`;
    isFirst = false;
  }
  return text;
}
