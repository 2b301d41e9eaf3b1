import { decodeText, encodeText } from "./byte-string.ts";
import { readLinkAt } from "./file.ts";
import { AT_FDCWD } from "./open.ts";

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

function readLink(path: string): string | undefined {
  const target = readLinkAt(AT_FDCWD, encodeText(path));
  return typeof target === "number" ? undefined : decodeText(target);
}
