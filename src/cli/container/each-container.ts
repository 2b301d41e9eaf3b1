import { dataDirectory } from "../../engine/data-directory.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { type Container, openContainers } from "../../engine/state/containers.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { print } from "../print.ts";
import { reportError } from "../report-error.ts";

/** What a command does to each container is given this. */
export interface ContainerWork {
  readonly database: StateDatabase;
  readonly data: string;
  readonly container: Container;
  /** As the user named it. */
  readonly reference: string;
}

/** Names of containers, or what makes them when the database is open. */
export type ContainerReferences = (
  database: StateDatabase,
  data: string,
) => readonly string[] | Promise<readonly string[]>;

/**
 * Does the same to several containers. As with Docker each is tried, whatever became of the others, and what was done is
 * told by the name that the user gave.
 * @param work what is to be done; what it throws is reported. Returns what to print, or nothing
 * @param missing what a container that is not there is: a failure, told but none, or what is done instead
 * @returns the exit status: 1 if one has failed
 */
export async function eachContainer(
  references: readonly string[] | ContainerReferences,
  work: (one: ContainerWork) => string | undefined | Promise<string | undefined>,
  missing: "failure" | "told" | (() => void) = "failure",
): Promise<number> {
  const data = dataDirectory();
  using database = openContainers(data);
  let status = 0;
  const named = typeof references === "function" ? await references(database, data) : references;
  for (const reference of named) {
    try {
      const said = await work({ database, data, container: findContainer(database, data, reference), reference });
      if (said !== undefined) print(said);
    } catch (error) {
      const isMissing = error instanceof BunkerError && error.code === "no_such_container";
      if (isMissing && typeof missing === "function") {
        missing();
        continue;
      }
      await reportError(error);
      if (!isMissing || missing === "failure") status = 1;
    }
  }
  return status;
}
