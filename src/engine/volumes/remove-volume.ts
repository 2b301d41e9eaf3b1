/*
 * A volume goes in one transaction: it is seen that nobody uses it, its directory is renamed to a name that no volume can
 * have, and its row is deleted. The files are removed behind that. What a kill leaves of them, whoever removes the next
 * volume takes away.
 */

import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import { recordVolumeEvent } from "../events/journal.ts";
import { removeUsersTree } from "../ownership.ts";
import { deleteVolume, findVolume, forgetUses, usersOf, type Volume } from "../state/volumes.ts";
import { putAside } from "./create-volume.ts";
import { volumesDirectory } from "./volume-directory.ts";

/**
 * Removes a volume that nobody uses.
 * @throws BunkerError `volume_in_use`; `no_such_volume` when somebody else has removed it meanwhile
 */
export function removeVolume(database: StateDatabase, data: string, { name }: Volume): void {
  const users = database.transaction(
    () => {
      findVolume(database, name);
      const found = usersOf(database, data, name);
      if (found.length === 0) forget(database, data, name);
      return found;
    },
    { durable: true },
  );
  if (users.length > 0) {
    throw new BunkerError({
      code: "volume_in_use",
      operation: `remove ${name}: volume is in use -`,
      object: `[${users.join(", ")}]`,
      hint: "Remove the containers first.",
      exitStatus: 1,
    });
  }
  recordVolumeEvent(data, "destroy", name);
  sweepVolumes(data);
}

function forget(database: StateDatabase, data: string, name: string): void {
  putAside(data, name);
  deleteVolume(database, name);
}

/**
 * Forgets what a container has used that is no more.
 * @param removesAnonymous whether the volumes that it was given without a name go with it, unless others use them
 */
export function releaseVolumes(
  database: StateDatabase,
  data: string,
  container: string,
  removesAnonymous: boolean,
): void {
  const removed = database.transaction(() => {
    const names = forgetUses(database, container);
    if (!removesAnonymous) return [];
    const unused = names.filter((name) => usersOf(database, data, name).length === 0);
    for (const name of unused) forget(database, data, name);
    return unused;
  });
  if (removed.length === 0) return;
  for (const name of removed) recordVolumeEvent(data, "destroy", name);
  sweepVolumes(data);
}

/** Removes the files of volumes that are no more. */
export function sweepVolumes(data: string): void {
  let names: string[];
  try {
    names = nodeFileSystem().readdirSync(volumesDirectory(data));
  } catch {
    return;
  }
  const removed = names.filter((name) => name.startsWith(".removed-"));
  if (removed.length === 0) return;
  for (const name of removed) removeUsersTree(data, `${volumesDirectory(data)}/${name}`);
}
