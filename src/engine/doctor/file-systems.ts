import { accessSync, closeSync, constants, openSync, realpathSync, statfsSync } from "node:fs";
import type { MountPoint } from "../../mount/mount-points.ts";
import type { Attempt } from "../../mount/union-support.ts";
import { Errno, errnoName } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { nearestDirectory } from "../union-support.ts";
import type { Finding } from "./finding.ts";

/** File systems whose locks and shared memory do not do for a database that several processes use. */
const OF_NETWORKS = /^(nfs|nfs4|cifs|smb3|9p|afs|ceph|lustre|fuse\..*)$/;
const GIB = 2 ** 30;
/** Less is used up by a few images. */
const LITTLE_SPACE = GIB;

/**
 * Whether the kernel's overlayfs makes root file systems.
 * @param root what to read in the place of the host's `/`
 */
export function overlayFinding(attempt: Attempt, root = ""): Finding {
  const check = "overlay";
  if (attempt.works) {
    return { check, state: "ok", found: "works here", effect: "makes root file systems" };
  }
  const isKnown = /^nodev\toverlay$/m.test(readIfThere(`${root}/proc/filesystems`) ?? "");
  return {
    check,
    state: "failed",
    found: attempt.failure,
    effect: "containers of images do not run; XDG_DATA_HOME can name a directory on ext4, XFS or Btrfs",
    remedy: isKnown ? undefined : "modprobe overlay",
  };
}

/**
 * Whether FUSE can be used.
 * @param attempt what has come of mounting it in a user namespace
 * @param device its path
 */
export function fuseFinding(attempt: Attempt, device = "/dev/fuse"): Finding {
  const fault = deviceFault(device, "fuse");
  if (fault !== undefined || !attempt.works) {
    return {
      check: "FUSE",
      state: "limited",
      effect: "containers cannot be given it by --device; Bunker itself does without",
      ...(fault ?? { found: attempt.works ? "" : attempt.failure }),
    };
  }
  return { check: "FUSE", state: "ok", found: device, effect: "containers can be given it by --device" };
}

/**
 * Whether containers can have network devices.
 * @param device the path of the device that makes TAPs
 */
export function tunFinding(device = "/dev/net/tun"): Finding {
  const fault = deviceFault(device, "tun");
  if (fault === undefined) {
    return { check: "TUN", state: "ok", found: device, effect: "containers have a network of their own" };
  }
  const effect = "containers have no network of their own: only --network host and none work";
  return { check: "TUN", state: "limited", effect, ...fault };
}

/** What keeps the caller from opening a device. */
function deviceFault(device: string, module: string): Pick<Finding, "found" | "remedy"> | undefined {
  try {
    closeSync(openSync(device, "r+"));
    return undefined;
  } catch (error) {
    const errno = errnoOf(error) ?? 0;
    const isPermission = errno === Errno.EACCES || errno === Errno.EPERM;
    const isMissing = errno === Errno.ENOENT || errno === Errno.ENODEV || errno === Errno.ENXIO;
    const remedy = isPermission ? `chmod 666 ${device}` : isMissing ? `modprobe ${module}` : undefined;
    return { found: `open ${device}: ${errnoName(errno)}`, remedy };
  }
}

/**
 * Where images and containers are kept.
 * @param data Bunker's data directory, which need not be there
 * @param mounts of the host
 * @param freeSpace bytes that the caller may still write there; asked of the file system unless given
 */
export function dataDirectoryFinding(
  data: string,
  mounts: readonly Pick<MountPoint, "path" | "type">[],
  freeSpace?: number,
): Finding {
  const check = "data directory";
  const directory = realpathSync(nearestDirectory(data));
  const type = mounts.findLast(({ path }) => isBelow(directory, path))?.type ?? "an unknown file system";
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const found = `${data} cannot be written: ${errnoName(errnoOf(error) ?? 0)}`;
    return { check, state: "failed", found, effect: "nothing can be kept; XDG_DATA_HOME can name another directory" };
  }
  const free = freeSpace ?? freeSpaceOf(directory);
  const found = `${data} on ${type}, ${(free / GIB).toFixed(1)} GiB free`;
  const limit = (effect: string): Finding => ({ check, state: "limited", found, effect });
  if (OF_NETWORKS.test(type))
    return limit("commands at the same time may fail; XDG_DATA_HOME should name a local disk");
  if (type === "tmpfs" || type === "ramfs") return limit("images and containers are gone when the machine restarts");
  if (free < LITTLE_SPACE) return limit("little room for images; bunker system prune removes what is not used");
  return { check, state: "ok", found, effect: "keeps images and containers" };
}

function isBelow(path: string, directory: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

function freeSpaceOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
