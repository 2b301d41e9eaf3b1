import type { Dirent } from "node:fs";
import { BunkerError } from "../../sys/error.ts";
import { nodeFileSystem, nodePath } from "../../sys/node-modules.ts";
import { deviceNumbers } from "../../sys/stat.ts";
import type { DeviceRequest } from "./run-options.ts";

/**
 * What a container has of its own, so that the host's must not be put over it, and the directories of file systems that
 * only happen to be mounted in /dev.
 */
const OWN_OR_NO_DEVICES = new Set([
  "console",
  "fd",
  "full",
  "mqueue",
  "null",
  "ptmx",
  "pts",
  "random",
  "shm",
  "tty",
  "urandom",
  "zero",
  ".lxc",
  ".lxd-mounts",
  ".udev",
]);

/**
 * The host's devices that the caller may open for reading or writing, for `--privileged`: their paths, sorted. They are
 * not opened to find out, because opening alone does something to some of them (a watchdog starts, a tape rewinds).
 * @param directory where to look, `/dev`
 */
export function accessibleDevices(directory = "/dev"): readonly string[] {
  const paths: string[] = [];
  for (const entry of list(directory)) {
    if (OWN_OR_NO_DEVICES.has(entry.name)) continue;
    addDevices(directory, entry, paths);
  }
  return paths.sort();
}

/** A device, and what a container may do with it: any of r, w and m. */
export interface DeviceNode {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/**
 * Whatever else is there would be mounted into the container all the same.
 * @throws BunkerError `not_a_device` for what is neither a device nor a directory with some; what is not there is said later
 */
export function checkIsDevice({ hostPath }: Pick<DeviceRequest, "hostPath">): void {
  const status = nodeFileSystem().statSync(hostPath, { throwIfNoEntry: false });
  if (status === undefined || status.isBlockDevice() || status.isCharacterDevice()) return;
  if (status.isDirectory() && holdsDevices(hostPath)) return;
  throw new BunkerError({
    code: "not_a_device",
    operation: "add device",
    object: hostPath,
    reason: status.isDirectory() ? "there are no device nodes in that directory" : "it is not a device node",
    hint: "--volume shows files and directories of the host.",
  });
}

function holdsDevices(directory: string): boolean {
  return list(directory).some(
    (entry) =>
      entry.isBlockDevice() ||
      entry.isCharacterDevice() ||
      (entry.isDirectory() && holdsDevices(nodePath().join(directory, entry.name))),
  );
}

/** The device that `--device` names, or all those in a directory. */
export function deviceNodes({ hostPath, permissions }: Omit<DeviceRequest, "containerPath">): readonly DeviceNode[] {
  const status = nodeFileSystem().statSync(hostPath, { throwIfNoEntry: false });
  if (status?.isDirectory() === true) {
    return list(hostPath).flatMap(({ name }) =>
      deviceNodes({ hostPath: nodePath().join(hostPath, name), permissions }),
    );
  }
  const type = status?.isBlockDevice() === true ? "b" : status?.isCharacterDevice() === true ? "c" : undefined;
  if (status === undefined || type === undefined) return [];
  return [{ type, ...deviceNumbers(status.rdev), access: permissions }];
}

function addDevices(directory: string, entry: Dirent, paths: string[]): void {
  const path = nodePath().join(directory, entry.name);
  if (entry.isDirectory()) {
    // A file system mounted below /dev (hugetlbfs, a second devpts) holds no devices of the host.
    if (deviceOf(path) !== deviceOf(directory)) return;
    for (const below of list(path)) addDevices(path, below, paths);
  } else if ((entry.isCharacterDevice() || entry.isBlockDevice()) && isAccessible(path)) {
    paths.push(path);
  }
}

function list(directory: string): readonly Dirent[] {
  try {
    return nodeFileSystem().readdirSync(directory, { withFileTypes: true });
  } catch {
    // A directory that the caller may not read, or that has just gone, offers nothing.
    return [];
  }
}

function deviceOf(path: string): number | undefined {
  return nodeFileSystem().statSync(path, { throwIfNoEntry: false })?.dev;
}

function isAccessible(path: string): boolean {
  return [nodeFileSystem().constants.R_OK, nodeFileSystem().constants.W_OK].some((mode) => {
    try {
      nodeFileSystem().accessSync(path, mode);
      return true;
    } catch {
      return false;
    }
  });
}
