/*
 * What a container has in memory as files: in its tmpfs, /dev/shm among them. Each is asked through the root directory of
 * the container's first process (/proc/PID/root) how much of it is in use; statfs(2). A tmpfs of the host's that is bound
 * into the container is not the container's. What is not seen: memory files without a mount (memfd_create(2)) and segments
 * of System V that no process has mapped, and what is mounted in further mount namespaces.
 */
import { statfsSync, statSync } from "node:fs";
import { type MountPoint, mountPoints } from "../../mount/mount-points.ts";
import { deviceNumbers } from "../../sys/stat.ts";

const TMPFS_MAGIC = 0x01021994;

/** The tmpfs of a container; they are found once, when this is made. */
export class MemoryFiles {
  readonly #pid: number;
  readonly #mounts: readonly MountPoint[];
  /** Their device numbers as /proc/PID/smaps has them: hexadecimal, `00:2f`. */
  readonly devices: ReadonlySet<string>;

  /** @param pid of the container's first process */
  constructor(pid: number) {
    this.#pid = pid;
    const hosts = new Set(mountPoints().map(({ device }) => device));
    const own = mountPointsIfAny(pid).filter(({ type, device }) => type === "tmpfs" && !hosts.has(device));
    // One may be mounted at several places, and something else over some of them.
    const seen = own.filter(({ path, device }) => deviceAt(this.#outside(path)) === device);
    this.#mounts = [...new Map(seen.map((mount) => [mount.device, mount])).values()];
    this.devices = new Set(this.#mounts.map(({ device }) => hexadecimal(device)));
  }

  /** Bytes in use, as far as they can be asked for. */
  usage(): number {
    return this.#mounts.reduce((sum, { path }) => sum + used(this.#outside(path)), 0);
  }

  /** Where a path of the container's is outside of it. */
  #outside(path: string): string {
    return `/proc/${this.#pid}/root${path}`;
  }
}

function mountPointsIfAny(pid: number): readonly MountPoint[] {
  try {
    return mountPoints(pid);
  } catch {
    // It has ended.
    return [];
  }
}

function deviceAt(path: string): string | undefined {
  try {
    const { major, minor } = deviceNumbers(statSync(path).dev);
    return `${major}:${minor}`;
  } catch {
    // The container has ended, or it does not let us look.
    return undefined;
  }
}

function used(path: string): number {
  try {
    const { type, blocks, bfree, bsize } = statfsSync(path);
    return type === TMPFS_MAGIC ? (blocks - bfree) * bsize : 0;
  } catch {
    // It has ended, or that is not mounted there any more.
    return 0;
  }
}

function hexadecimal(device: string): string {
  return device
    .split(":")
    .map((number) => Number(number).toString(16).padStart(2, "0"))
    .join(":");
}
