/*
 * What a store permits of the ways to make root file systems (mount/union-support.ts), found out once.
 *
 * The finding is kept in `<data>/union-support.json`, with the kernel and the filesystem that it was made for; another
 * kernel, or a data directory that was moved, is tried anew. That nothing works is not kept: whoever is told so will
 * change something, and try again.
 */

import { lockStore } from "../image/layers/store-lock.ts";
import { probeUnions } from "../mount/probe-unions.ts";
import type { Attempt, UnionSupport } from "../mount/union-support.ts";
import { isObject } from "../notation/is-object.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { fileSystemIdentity } from "../sys/file-system-identity.ts";
import { kernelRelease } from "../sys/kernel-release.ts";
import { nodeFileSystem, nodePath } from "../sys/node-modules.ts";
import { readIfThere } from "../sys/read-if-there.ts";
import { removeTree } from "../sys/remove-tree.ts";

/** What was found, and where. */
interface SupportRecord {
  readonly kernel: string;
  readonly fileSystem: string;
  readonly support: UnionSupport;
}

/**
 * What can be done in a store: from its record, or found out now.
 * @param data Bunker's data directory; made when it is missing
 * @throws BunkerError `no_user_namespace`; `system_call_failed` when the directory cannot be written
 */
export function unionSupport(data: string): UnionSupport {
  const path = `${data}/union-support.json`;
  const known = readRecord(path);
  if (known?.kernel === kernelRelease() && known.fileSystem === fileSystemIdentity(data)) return known.support;
  using lock = lockStore(data);
  const directory = nodeFileSystem().mkdtempSync(`${lock.stagingPath}/probe-`);
  try {
    const support = probeUnions(directory);
    if (support.overlay.works) {
      const record: SupportRecord = { kernel: kernelRelease(), fileSystem: fileSystemIdentity(data), support };
      const aside = `${directory}/record`;
      nodeFileSystem().writeFileSync(aside, JSON.stringify(record));
      nodeFileSystem().renameSync(aside, path);
    }
    return support;
  } catch (error) {
    if (error instanceof BunkerError) throw error;
    throw new BunkerError({
      code: "store_unusable",
      operation: "try mounts in",
      object: directory,
      errno: errnoOf(error),
    });
  } finally {
    removeTree(directory);
  }
}

/**
 * The same, without leaving anything behind where there is no store yet: then it is found out in the nearest directory
 * above that exists.
 * @throws BunkerError as `unionSupport`
 */
export function unionSupportOf(data: string): UnionSupport {
  if (nodeFileSystem().existsSync(data)) return unionSupport(data);
  const above = nearestDirectory(data);
  let directory: string | undefined;
  try {
    directory = nodeFileSystem().mkdtempSync(`${above}/.bunker-probe-`);
    return probeUnions(directory);
  } catch (error) {
    if (error instanceof BunkerError) throw error;
    throw new BunkerError({ code: "store_unusable", operation: "try mounts in", object: above, errno: errnoOf(error) });
  } finally {
    if (directory !== undefined) removeTree(directory);
  }
}

/** The directory itself, or the nearest above it that exists. */
export function nearestDirectory(path: string): string {
  return nodeFileSystem().existsSync(path) ? path : nearestDirectory(nodePath().dirname(path));
}

function readRecord(path: string): SupportRecord | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const record: unknown = JSON.parse(text);
    return isRecord(record) ? record : undefined;
  } catch {
    // Damaged, or another version's: as if there were none.
    return undefined;
  }
}

/** By hand, since every start of a container reads this small record of our own: a schema takes 0.2 ms to be made. */
function isRecord(value: unknown): value is SupportRecord {
  if (!isObject(value) || !isObject(value["support"])) return false;
  const { overlay, dataOnlyLayers, fuse } = value["support"];
  const areAttempts = isAttempt(overlay) && isAttempt(dataOnlyLayers) && isAttempt(fuse);
  return areAttempts && typeof value["kernel"] === "string" && typeof value["fileSystem"] === "string";
}

function isAttempt(value: unknown): value is Attempt {
  return (
    isObject(value) && (value["works"] === true || (value["works"] === false && typeof value["failure"] === "string"))
  );
}
