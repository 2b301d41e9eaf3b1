/*
 * Whom an unpacked file belongs to.
 *
 * With the full mapping it gets the owner and the mode that the archive states. With a single id everything belongs to
 * that id, root inside; the owner and the mode are recorded in an attribute where they are others, and set-id bits,
 * which would then mean another user than they were meant for, are left out of the real mode. User attributes exist
 * on files and directories only: of other things the owner cannot be recorded.
 */

import { overrideStatValue } from "../../mount/overlay-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { FileMode } from "../../sys/stat.ts";
import type { LayerMapping } from "./layer-directory.ts";

/** Owner and mode of an entry. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** What becomes of it on disk. */
export interface StoredOwnership {
  /** Whether the owner is to be changed at all. */
  readonly changesOwner: boolean;
  readonly mode: number;
  /** The value of `OVERRIDE_STAT_ATTRIBUTE`, where it is needed. */
  readonly override: ByteString | undefined;
}

/** Decides how ownership is stored. */
export function storeOwnership(
  { uid, gid, mode }: Ownership,
  mapping: LayerMapping,
  type: "file" | "dir",
): StoredOwnership {
  if (mapping === "full") return { changesOwner: true, mode, override: undefined };
  if (uid === 0 && gid === 0) return { changesOwner: false, mode, override: undefined };
  const unwanted = (uid === 0 ? 0 : FileMode.setUserId) | (gid === 0 ? 0 : FileMode.setGroupId);
  return { changesOwner: false, mode: mode & ~unwanted, override: overrideStatValue(uid, gid, mode, type) };
}
