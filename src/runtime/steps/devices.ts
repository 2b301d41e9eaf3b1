/** Device nodes and the links that every container's /dev has; config-linux.md, "Devices" and "Default Devices". */

import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { statusThroughLinks } from "../../sys/file.ts";
import { MOVE_MOUNT_F_EMPTY_PATH, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from "../../sys/mount.ts";
import { AT_FDCWD } from "../../sys/open.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { deviceNumber, FileMode, isType } from "../../sys/stat.ts";
import type { Device } from "../configuration/configuration.ts";
import { closeSlot } from "./files.ts";
import { openOrMake } from "./open-or-make.ts";

const DEFAULT_DEVICES: readonly Device[] = [
  { path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 },
  { path: "/dev/zero", type: "c", major: 1, minor: 5, fileMode: 0o666, uid: 0, gid: 0 },
  { path: "/dev/full", type: "c", major: 1, minor: 7, fileMode: 0o666, uid: 0, gid: 0 },
  { path: "/dev/random", type: "c", major: 1, minor: 8, fileMode: 0o666, uid: 0, gid: 0 },
  { path: "/dev/urandom", type: "c", major: 1, minor: 9, fileMode: 0o666, uid: 0, gid: 0 },
  { path: "/dev/tty", type: "c", major: 5, minor: 0, fileMode: 0o666, uid: 0, gid: 0 },
];

const DEFAULT_LINKS: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
];

const FileType = { u: 0o020000, c: 0o020000, b: 0o060000, p: 0o010000 } as const;

/** The mode of a regular file that nodes are bound on. */
const EMPTY_FILE = 0o100666;

/**
 * The host's node of a device: the same path if it is that device, or else what the kernel calls it.
 * @throws BunkerError `device_not_found`
 */
function hostNode(device: Device): string {
  const type = device.type === "b" ? FileMode.blockDevice : FileMode.characterDevice;
  const { major = 0, minor = 0 } = device;
  const isThatDevice = (path: string) => {
    const status = statusThroughLinks(AT_FDCWD, encodeText(path));
    if (typeof status === "number") return false;
    return isType(status, type) && status.deviceMajor === major && status.deviceMinor === minor;
  };
  if (isThatDevice(device.path)) return device.path;
  const kind = device.type === "b" ? "block" : "char";
  const event = readIfThere(`/sys/dev/${kind}/${major}:${minor}/uevent`);
  const name = /^DEVNAME=(.*)$/m.exec(event ?? "")?.[1];
  if (name !== undefined && isThatDevice(`/dev/${name}`)) return `/dev/${name}`;
  throw new BunkerError({
    code: "device_not_found",
    operation: "find device",
    object: `${device.path} (${device.type} ${major}:${minor})`,
    reason: "the host has no such node, and a user namespace may not make one",
  });
}

/** Binds the host's nodes on new, empty files. The move follows no link at the name that it is given. */
function bindDevices(program: LaunchProgram, parent: Slot, devices: readonly Device[]): void {
  const rows = devices.map((device) => {
    const name = program.text(splitPath(device.path).name);
    return [program.text(hostNode(device)), name, program.text(device.path)] as const;
  });
  program.forEach(["source", "name", "path"], rows, (source, name, path) => {
    const what = { operation: "bind the host's device on", objectSlot: path.index };
    const tree = program.slot("tree");
    program.call("open_tree", [AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC], what, { result: tree });
    program.call("mknodat", [parent, name, EMPTY_FILE, 0], what, { ignore: [Errno.EEXIST] });
    program.call("move_mount", [tree, program.text(""), parent, name, MOVE_MOUNT_F_EMPTY_PATH], what);
    closeSlot(program, tree);
  });
}

function splitPath(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf("/");
  return { directory: path.slice(0, slash) || "/", name: path.slice(slash + 1) };
}

function makeDevice(program: LaunchProgram, parent: Slot, device: Device): void {
  const what = { operation: "make device", object: device.path };
  const done = program.label();
  const path = program.text(splitPath(device.path).name);
  const mode = device.fileMode ?? 0o666;
  const number = deviceNumber(device.major ?? 0, device.minor ?? 0);
  program.call("mknodat", [parent, path, FileType[device.type] | mode, number], what, {
    ignore: [Errno.EEXIST],
    onIgnored: done,
  });
  program.call("fchmodat", [parent, path, mode], what);
  program.call("fchownat", [parent, path, device.uid ?? 0, device.gid ?? 0, 0], what);
  program.place(done);
}

/**
 * Provides the default devices and those of `linux.devices`, and the symbolic links of /dev. Links that exist stay.
 * @param canMakeNodes whether mknod(2) works: only outside user namespaces; elsewhere the host's nodes are bound
 */
export function provideDevices(
  program: LaunchProgram,
  root: Slot,
  devices: readonly Device[],
  canMakeNodes: boolean,
): void {
  const asked = new Set(devices.map((device) => device.path));
  const provided = [...DEFAULT_DEVICES.filter((standard) => !asked.has(standard.path)), ...devices];
  const directoryOf = (device: Device) => splitPath(device.path).directory;
  for (const directory of new Set(provided.map(directoryOf))) {
    const members = provided.filter((device) => directoryOf(device) === directory);
    const parent = openOrMake(program, root, directory, "directory");
    const isMade = (device: Device) => canMakeNodes || device.type === "p";
    for (const device of members.filter(isMade)) makeDevice(program, parent, device);
    bindDevices(
      program,
      parent,
      members.filter((device) => !isMade(device)),
    );
    if (directory === "/dev") provideLinks(program, parent);
    closeSlot(program, parent);
  }
}

function provideLinks(program: LaunchProgram, parent: Slot): void {
  for (const [path, target] of DEFAULT_LINKS) {
    program.call(
      "symlinkat",
      [program.text(target), parent, program.text(splitPath(path).name)],
      { operation: "make symbolic link", object: path },
      { ignore: [Errno.EEXIST] },
    );
  }
}
