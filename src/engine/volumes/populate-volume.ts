/*
 * A volume that is used for the first time shows what the image has at its place, as with Docker. The copy grows beside the
 * volume's directory and is renamed to its place, which the kernel does only where that is empty: so a kill in the middle
 * leaves an empty volume, and of two containers at once one is the first. A container that has the volume mounted already
 * would not see the new directory; as long as there is one, the volume is left as it is.
 */
import { readdirSync, renameSync } from "node:fs";
import * as v from "valibot";
import type { LayerMapping } from "../../image/layers/layer-directory.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { runInUserNamespace } from "../../runtime/user-namespace-process.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { removeOwnedTree } from "../ownership.ts";
import { isHeld } from "../state/container-directory.ts";
import { isKnown } from "../state/containers.ts";
import { usersOf } from "../state/volumes.ts";
import { type PopulateAnswer, type PopulateRequest, populateAnswerSchema } from "./populate-here.ts";
import { volumeContent, volumeDirectory } from "./volume-directory.ts";

const STAGING = "populating-";

/** What a volume is populated for. */
export interface Population {
  readonly container: string;
  /** The directories of the root file system's layers, the uppermost first. */
  readonly layers: readonly string[];
  readonly destination: string;
  readonly mapping: LayerMapping;
  readonly userNamespace: IdMap | undefined;
}

/**
 * Copies what an image has at the place of a volume into it, if it is empty.
 * @returns warnings about what could not be kept
 * @throws BunkerError `no_space`, `system_call_failed`
 */
export async function populateVolume(
  database: StateDatabase,
  data: string,
  name: string,
  population: Population,
): Promise<readonly string[]> {
  const { container, layers, destination, mapping, userNamespace } = population;
  const directory = volumeDirectory(data, name);
  // Of two places for one volume in one container the first is populated.
  const staging = `${directory}/${STAGING}${container}`;
  sweep(data, directory, userNamespace);
  const content = volumeContent(data, name);
  const request: PopulateRequest = { layers: [...layers], destination, content, staging, mapping };
  try {
    const { isCopied, warnings } = await populate(request, userNamespace);
    if (!isCopied) return [];
    database.transaction(() => {
      const isMounted = usersOf(database, data, name).some(
        (user) => user !== container && isKnown(database, user) && isHeld(data, user),
      );
      if (!isMounted) replaceIfEmpty(staging, content);
    });
    return warnings;
  } finally {
    removeOwnedTree(staging, () => userNamespace);
  }
}

async function populate(request: PopulateRequest, userNamespace: IdMap | undefined): Promise<PopulateAnswer> {
  if (userNamespace === undefined) {
    const { populateHere } = await import("./populate-here.ts");
    return populateHere(request);
  }
  const answer = runInUserNamespace(userNamespace, ["internal", "populate"], JSON.stringify(request));
  return v.parse(populateAnswerSchema, answer);
}

function replaceIfEmpty(staging: string, content: string): void {
  try {
    renameSync(staging, content);
  } catch (error) {
    const errno = errnoOf(error);
    // Another container has been faster.
    if (errno === Errno.ENOTEMPTY || errno === Errno.EEXIST) return;
    throw new BunkerError({ code: "system_call_failed", operation: "populate the volume", object: content, errno });
  }
}

/** Removes the copies of commands that were killed. */
function sweep(data: string, directory: string, userNamespace: IdMap | undefined): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(STAGING) || isHeld(data, name.slice(STAGING.length))) continue;
    removeOwnedTree(`${directory}/${name}`, () => userNamespace);
  }
}
