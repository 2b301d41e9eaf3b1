import { decodeText, encodeText } from "./byte-string.ts";
import { openAt, readLinkAt } from "./file.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate } from "./memory.ts";
import { AT_FDCWD, OpenFlag } from "./open.ts";
import { SystemCall, systemCall } from "./system-call.ts";

/** ioctl_ns(2). */
const NS_GET_MNTNS_ID = 0x8008b705;

/** How namespaces(7) are called in /proc/PID/ns. */
export type NamespaceFile = "cgroup" | "ipc" | "mnt" | "net" | "pid" | "time" | "user" | "uts";

/**
 * Which namespace of a kind a process is in: a text that is the same for all processes in it, such as `pid:[4026531836]`.
 * @returns undefined for a process that has ended or that we may not look at, and on a kernel without such namespaces
 */
export function namespaceOf(pid: number | string, file: NamespaceFile): string | undefined {
  return readLink(`/proc/${pid}/ns/${file}`);
}

/** The same for a namespace's file that is open. */
export function openedNamespace(descriptor: number): string | undefined {
  return readLink(`/proc/self/fd/${descriptor}`);
}

/**
 * Opens a namespace that a process is in; it stays as long as the descriptor.
 * @returns undefined for a process that has ended or that we may not look at
 */
export function openNamespaceOf(pid: number, file: NamespaceFile): FileDescriptor | undefined {
  const opened = openAt(AT_FDCWD, encodeText(`/proc/${pid}/ns/${file}`), OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC);
  return opened < 0 ? undefined : new FileDescriptor(opened);
}

/**
 * The id of a mount namespace. Unlike the number in its name, the kernel never gives it to another one.
 * @param descriptor of the namespace's file
 * @returns undefined on kernels before 6.11, which know no such ids
 */
export function mountNamespaceId(descriptor: number): string | undefined {
  const id = allocate(8);
  const result = systemCall(SystemCall.ioctl, descriptor, NS_GET_MNTNS_ID, id.address);
  return result < 0 ? undefined : String(id.view.getBigUint64(0, true));
}

function readLink(path: string): string | undefined {
  const target = readLinkAt(AT_FDCWD, encodeText(path));
  return typeof target === "number" ? undefined : decodeText(target);
}
