/*
 * A volume comes into being in one transaction: its directory and its row, and the use that it is made for. A directory
 * without a row was left by a command that was killed in the middle, or by a power cut; it is put aside. A row without a
 * directory was left by one that was removing the volume: it is empty then.
 */

import { outerId } from "../../runtime/id-map/id-mapping.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { exists } from "../../sys/named-file.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import { recordVolumeEvent } from "../events/journal.ts";
import { ownershipOf } from "../ownership.ts";
import { insertVolume, lookUpVolume, noteUse, type Volume } from "../state/volumes.ts";
import { giveTo, type Owner } from "./give-to.ts";
import { volumeContent, volumeDirectory, volumesDirectory } from "./volume-directory.ts";
import { invalidVolumeOption, type VolumeKind, volumeKind } from "./volume-driver.ts";

/** What is asked of a volume that may be there already. */
export interface VolumeRequest {
  readonly name: string;
  /** Whether the user gave it no name. */
  readonly isAnonymous: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** A name for a volume without one: 64 hexadecimal digits, as Docker's. */
export function anonymousName(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

/**
 * Finds a volume, or makes it.
 * @param container the id of the container that is noted as its user, whose directory is locked
 * @throws BunkerError `invalid_volume_name`, `invalid_volume_option`, `volume_conflict` for one with other options
 */
export function takeVolume(
  database: StateDatabase,
  data: string,
  request: VolumeRequest,
  container: string | undefined,
): Volume {
  const { name, options } = request;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) {
    throw new BunkerError({
      code: "invalid_volume_name",
      operation: "use the volume name",
      object: JSON.stringify(name.slice(0, 100)),
      reason: "expected up to 255 of [a-zA-Z0-9_.-], beginning with a letter or digit",
      hint: "A directory of the host is named by an absolute path, or one that begins with ./",
      exitStatus: 1,
    });
  }
  const kind = volumeKind(options);
  const present = lookUpVolume(database, name);
  const owner = ownerOf(data, present === undefined ? kind : volumeKind(present.options));
  const taken = database.transaction(
    () => {
      const known = lookUpVolume(database, name);
      const volume = known ?? { ...request, created: Date.now() };
      // One that was being removed by a command that was killed has a row and no directory.
      if (known === undefined || !exists(volumeDirectory(data, name))) {
        makeDirectory(data, name);
        if (owner !== undefined) giveTo(data, volumeContent(data, name), owner);
      }
      if (known === undefined) insertVolume(database, volume);
      else if (Object.keys(options).length > 0 && !Bun.deepEquals(known.options, options)) {
        throw new BunkerError({
          code: "volume_conflict",
          operation: "create volume",
          object: name,
          reason: "there is one of this name with other options",
          exitStatus: 1,
        });
      }
      if (container !== undefined) noteUse(database, name, container, request.isAnonymous);
      return { volume, isNew: known === undefined };
    },
    { durable: present === undefined },
  );
  if (taken.isNew) recordVolumeEvent(data, "create", name);
  return taken.volume;
}

/**
 * Whom the options of a volume give its directory to.
 * @throws BunkerError `invalid_volume_option` for somebody whom no container has
 */
function ownerOf(data: string, kind: VolumeKind): Owner | undefined {
  if (kind.kind !== "directory" || (kind.uid === undefined && kind.gid === undefined)) return undefined;
  const owner = { uid: kind.uid ?? 0, gid: kind.gid ?? 0 };
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  if (userNamespace === undefined) return owner;
  const hasUser = outerId(userNamespace.uidMappings, owner.uid) !== undefined;
  if (hasUser && outerId(userNamespace.gidMappings, owner.gid) !== undefined) return owner;
  const option = hasUser ? `o=gid=${owner.gid}` : `o=uid=${owner.uid}`;
  throw invalidVolumeOption(
    option,
    "the user namespace of containers has no such id",
    "bunker unshare cat /proc/self/uid_map /proc/self/gid_map shows those that it has.",
  );
}

function makeDirectory(data: string, name: string): void {
  const path = volumeDirectory(data, name);
  const content = volumeContent(data, name);
  try {
    nodeFileSystem().mkdirSync(volumesDirectory(data), { recursive: true, mode: 0o700 });
    putAside(data, name);
    nodeFileSystem().mkdirSync(path, { mode: 0o700 });
    nodeFileSystem().mkdirSync(content);
    // mkdir's mode is cut by the umask.
    nodeFileSystem().chmodSync(content, 0o755);
  } catch (error) {
    const errno = errnoOf(error);
    throw new BunkerError({ code: "system_call_failed", operation: "make directory", object: content, errno });
  }
}

/**
 * Gives the directory of a volume that is no more a name that no volume has, to be removed; see remove-volume.ts.
 * @returns whether there was one
 */
export function putAside(data: string, name: string): boolean {
  try {
    nodeFileSystem().renameSync(
      volumeDirectory(data, name),
      `${volumesDirectory(data)}/.removed-${crypto.randomUUID()}`,
    );
    return true;
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return false;
    throw error;
  }
}
