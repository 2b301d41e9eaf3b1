import { findContainer, latestContainer, listContainers } from "../../engine/lifecycle/find-container.ts";
import type { Container } from "../../engine/state/containers.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { flag, list } from "../option.ts";
import type { ContainerReferences } from "./each-container.ts";
import { readIdFile } from "./id-file.ts";

/** Podman's way to mean a container without naming it. */
export const latestOption = flag({
  name: "latest",
  short: "l",
  description: "The container that was created last, instead of naming it",
});

/** Podman's way to mean all containers that a command is about. */
export const allOption = flag({ name: "all", short: "a", description: "All containers that it can be done to" });

/** Podman's way to name a container by the file that its id was written to. */
export const idFileOption = list({
  name: "cidfile",
  valueName: "FILE",
  description: "A container whose id is in a file",
  parse: (text) => text,
});

/**
 * The container that a command for one is about, whose syntax says `insteadOfFirst: "latest"`.
 * @throws BunkerError `no_such_container`
 */
export function namedOrLatest(
  database: StateDatabase,
  data: string,
  reference: string,
  { latest }: { readonly latest: boolean },
): Container {
  return latest ? latestContainer(database, data) : findContainer(database, data, reference);
}

/**
 * The containers that a command is about: those that are named, by files too, or what stands for names.
 * @param command as typed, for messages
 * @param isOfAll with `all`, which containers that means
 */
export function meantContainers(
  command: string,
  operands: readonly string[],
  {
    latest,
    all = false,
    idFiles = [],
  }: { readonly latest: boolean; readonly all?: boolean; readonly idFiles?: readonly string[] },
  isOfAll: (container: Container) => boolean = () => true,
): ContainerReferences {
  const names = [...operands, ...idFiles.map(readIdFile)];
  const given = [names.length > 0, latest, all].filter(Boolean).length;
  if (given !== 1) {
    throw new BunkerError({
      code: given === 0 ? "missing_operand" : "conflicting_options",
      operation:
        given === 0
          ? `${command} needs CONTAINER; ${command} --help shows how it is used`
          : "names of containers, --latest and --all exclude each other",
      exitStatus: given === 0 ? 125 : 1,
    });
  }
  if (given === 1 && names.length > 0) return () => names;
  return (database, data) => {
    const containers = listContainers(database, data);
    return (latest ? containers.slice(0, 1) : containers.filter(isOfAll)).map(({ id }) => id);
  };
}
