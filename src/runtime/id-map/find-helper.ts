/*
 * newuidmap and newgidmap write id maps of more than one id on behalf of a user. They can do so only with privilege of
 * their own: the set-user-id bit of root, or the file capability CAP_SETUID (CAP_SETGID), and only if nothing takes that
 * privilege away at exec: a mount with nosuid, or the no_new_privs attribute of the caller (execve(2),
 * PR_SET_NO_NEW_PRIVS). Each of these ends in the same "Operation not permitted" from the helper, so they are told apart
 * beforehand.
 */

import { encodeText } from "../../sys/byte-string.ts";
import { accessAt, statusThroughLinks } from "../../sys/file.ts";
import { allocate } from "../../sys/memory.ts";
import { AT_FDCWD } from "../../sys/open.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { Capability } from "../configuration/capabilities.ts";

export type HelperName = "newuidmap" | "newgidmap";

export type HelperSearch =
  | { readonly kind: "usable"; readonly path: string }
  | {
      readonly kind: "unusable";
      /** What is wrong and what the administrator should do about it, one line. */
      readonly problem: string;
      /** What is wrong alone. */
      readonly fault: string;
      /** The administrator's command that repairs it, where there is one; none for a helper that is not installed. */
      readonly remedy: string | undefined;
      readonly isMissing: boolean;
    };

interface Fault {
  readonly fault: string;
  readonly remedy?: string;
}

const X_OK = 1;
const PR_GET_NO_NEW_PRIVS = 39;
/** `f_flags` of `struct statfs` on 64-bit architectures, and its size; statfs(2). */
const STATFS_FLAGS_OFFSET = 80;
const STATFS_SIZE = 120;
const ST_NOSUID = 2;
/** `struct vfs_ns_cap_data`, linux/capability.h: flags, permitted (low), inheritable (low), the high words, root id. */
const FILE_CAPABILITIES_SIZE = 24;
const PERMITTED_OFFSET = 4;
const PATH_SIZE = 4096;

/**
 * Looks for one of the helpers that write id maps, in the absolute directories of a search path and then in /usr/bin,
 * /usr/sbin and /bin, and takes the first that has the privilege to do its work.
 * @param name of the program
 * @param searchPath directories separated by colons; the caller's PATH unless given
 */
export function findHelper(name: HelperName, searchPath?: string): HelperSearch {
  if (searchPath !== undefined) return searchHelper(name, searchPath);
  const known = found.get(name) ?? searchHelper(name, callersPath());
  found.set(name, known);
  return known;
}

/** What was found along the caller's PATH. */
const found = new Map<HelperName, HelperSearch>();

function searchHelper(name: HelperName, searchPath: string): HelperSearch {
  const directories = [
    ...searchPath.split(":").filter((path) => path.startsWith("/")),
    "/usr/bin",
    "/usr/sbin",
    "/bin",
  ];
  let first: Fault | undefined;
  for (const directory of new Set(directories)) {
    const path = `${directory}${directory.endsWith("/") ? "" : "/"}${name}`;
    const status = statusThroughLinks(AT_FDCWD, encodeText(path));
    if (typeof status === "number" || !isType(status, FileMode.regular)) continue;
    const fault = privilegeFault(name, path, status);
    if (fault === undefined) return { kind: "usable", path };
    first ??= fault;
  }
  if (first !== undefined) {
    const { fault, remedy } = first;
    const problem = remedy === undefined ? fault : `${fault}; an administrator can repair it: ${remedy}`;
    return { kind: "unusable", problem, fault, remedy, isMissing: false };
  }
  const fault = `${name} is missing`;
  const problem = `${fault}; an administrator can install it: package uidmap (Debian, Ubuntu) or shadow-utils (Fedora)`;
  return { kind: "unusable", problem, fault, remedy: undefined, isMissing: true };
}

function callersPath(): string {
  const { PATH = "" } = process.env;
  return PATH;
}

function privilegeFault(name: HelperName, path: string, status: FileStatus): Fault | undefined {
  const capability = name === "newuidmap" ? "CAP_SETUID" : "CAP_SETGID";
  const setUserId = status.uid === 0 && (status.mode & FileMode.setUserId) !== 0;
  if (accessAt(AT_FDCWD, encodeText(path), X_OK) < 0) return { fault: `${path} is not executable for the caller` };
  if (!setUserId && !hasFileCapability(path, Capability[capability])) {
    const capabilityText = `${capability.toLowerCase()}=ep`;
    return {
      fault: `${path} is neither set-user-id root nor has it ${capability}`,
      remedy: status.uid === 0 ? `chmod u+s ${path}` : `setcap ${capabilityText} ${path}`,
    };
  }
  if (isOnNosuidMount(path)) {
    return { fault: `${path} is on a file system mounted with nosuid, which takes its privilege away` };
  }
  if (systemCall(SystemCall.prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) === 1) {
    return {
      fault: `${path} cannot get its privilege because the caller runs with no_new_privs (as under systemd's NoNewPrivileges=)`,
    };
  }
  return undefined;
}

let memory: ReturnType<typeof allocateMemory> | undefined;

function allocateMemory() {
  return { path: allocate(PATH_SIZE), attribute: allocate(32), result: allocate(STATFS_SIZE) };
}

/** Puts the path, and an attribute's name, where the kernel can read them. */
function prepare(path: string, attribute = "") {
  memory ??= allocateMemory();
  memory.path.buffer.write(`${encodeText(path)}\0`, "latin1");
  memory.attribute.buffer.write(`${attribute}\0`, "latin1");
  return memory;
}

function hasFileCapability(path: string, capability: number): boolean {
  const { path: pathMemory, attribute, result } = prepare(path, "security.capability");
  const size = systemCall(
    SystemCall.getxattr,
    pathMemory.address,
    attribute.address,
    result.address,
    FILE_CAPABILITIES_SIZE,
  );
  if (size < PERMITTED_OFFSET + 4) return false;
  return ((result.view.getUint32(PERMITTED_OFFSET, true) >>> capability) & 1) === 1;
}

function isOnNosuidMount(path: string): boolean {
  const { path: pathMemory, result } = prepare(path);
  if (systemCall(SystemCall.statfs, pathMemory.address, result.address) < 0) return false;
  return (result.view.getUint32(STATFS_FLAGS_OFFSET, true) & ST_NOSUID) !== 0;
}
