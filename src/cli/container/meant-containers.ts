import { existsSync } from "node:fs";
import { listContainers } from "../../engine/lifecycle/find-container.ts";
import type { Container } from "../../engine/state/containers.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { type Filters, filterOption } from "../filters/filter-option.ts";
import { flag, list } from "../option.ts";
import { CONTAINER_FILTERS, type ContainerFilterKey } from "./container-filter-keys.ts";
import type { ContainerReferences } from "./each-container.ts";
import { readIdFile } from "./id-file.ts";
import { latestOption } from "./latest-option.ts";

/** Podman's ways to mean several containers without naming them. */
export const selectionOptions = {
  all: flag({ name: "all", short: "a", description: "All containers that it can be done to" }),
  filters: filterOption(CONTAINER_FILTERS, "f"),
  idFiles: list({
    name: "cidfile",
    valueName: "FILE",
    description: "A container whose id is in a file",
    parse: (text) => text,
  }),
  latest: latestOption,
} as const;

/** Podman's `--ignore`, with its letter where a command has no other use for that. */
export const ignoreOption = flag({
  name: "ignore",
  short: "i",
  description: "No error, and nothing said, if one is not there",
});

/** What is done about a container that is not there, with or without `--ignore`; see `eachContainer`. */
export function ifMissing(
  ignore: boolean,
  otherwise: "failure" | "told" = "failure",
): "failure" | "told" | (() => void) {
  return ignore ? () => {} : otherwise;
}

/** What the options above came to. */
interface Selection {
  readonly latest: boolean;
  readonly all?: boolean;
  readonly filters?: Filters<ContainerFilterKey>;
  readonly idFiles?: readonly string[];
  /** Whether files of ids that are not there name nothing. */
  readonly ignore?: boolean;
}

/**
 * The containers that a command is about: those that are named, by files too, or what stands for names.
 * @param command as typed, for messages
 * @param isOfAll with `all` or filters, which containers that means
 */
export function meantContainers(
  command: string,
  operands: readonly string[],
  { latest, all = false, filters = noFilters, idFiles = [], ignore = false }: Selection,
  isOfAll: (container: Container) => boolean = () => true,
): ContainerReferences {
  const isNamed = operands.length > 0 || idFiles.length > 0;
  const isFiltered = hasFilters(filters);
  const given = [isNamed, latest, all || isFiltered].filter(Boolean).length;
  if (given !== 1) {
    throw new BunkerError({
      code: given === 0 ? "missing_operand" : "conflicting_options",
      operation:
        given === 0
          ? `${command} needs CONTAINER; ${command} --help shows how it is used`
          : `names of containers, --latest and ${isFiltered ? "--filter" : "--all"} exclude each other`,
      exitStatus: given === 0 ? 125 : 1,
    });
  }
  if (isNamed) {
    const files = ignore ? idFiles.filter((path) => existsSync(path)) : idFiles;
    const names = [...operands, ...files.map(readIdFile)];
    return () => names;
  }
  return async (database, data) => {
    const containers = listContainers(database, data);
    if (latest) return containers.slice(0, 1).map(({ id }) => id);
    const fits = isFiltered ? await filter(database, data, filters) : () => true;
    return containers.filter((container) => isOfAll(container) && fits(container)).map(({ id }) => id);
  };
}

/** Whether there is any `--filter`. */
export function hasFilters(filters: Filters<ContainerFilterKey>): boolean {
  return CONTAINER_FILTERS.some((key) => filters(key).length > 0);
}

const noFilters: Filters<ContainerFilterKey> = () => [];

async function filter(database: StateDatabase, data: string, filters: Filters<ContainerFilterKey>) {
  const { containerFilter } = await import("./container-filters.ts");
  return containerFilter(database, data, filters);
}
