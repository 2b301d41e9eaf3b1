import { CloneFlag } from "../../sys/clone.ts";
import type { NamespaceFile } from "../../sys/namespace.ts";

/** The namespaces that a configuration can name, and the flag of clone(2) for each; namespaces(7). */
export const NamespaceFlag = {
  mount: CloneFlag.NEWNS,
  cgroup: CloneFlag.NEWCGROUP,
  uts: CloneFlag.NEWUTS,
  ipc: CloneFlag.NEWIPC,
  user: CloneFlag.NEWUSER,
  pid: CloneFlag.NEWPID,
  network: CloneFlag.NEWNET,
  time: CloneFlag.NEWTIME,
} as const;

/** A namespace's name in the OCI runtime specification. */
export type NamespaceType = keyof typeof NamespaceFlag;

/** The name of a namespace's file in /proc/PID/ns. */
export function namespaceFile(type: NamespaceType): NamespaceFile {
  if (type === "mount") return "mnt";
  return type === "network" ? "net" : type;
}
