import type { Container } from "../../engine/state/containers.ts";
import { namespaceOf } from "../../sys/namespace.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { shortId } from "../format/short-id.ts";

const NAMESPACES = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] as const;

const namespaceColumns: ListDescription = {
  titles: {
    ID: "CONTAINER ID",
    Names: "NAMES",
    Pid: "PID",
    cgroup: "CGROUPNS",
    ipc: "IPC",
    mnt: "MNT",
    net: "NET",
    pid: "PIDNS",
    user: "USERNS",
    uts: "UTS",
  },
  columns: ["ID", "Names", "Pid", ...NAMESPACES],
};

/** The table of `ps --ns`: containers with the numbers of the namespaces that their first processes are in. */
export function namespaceList(
  containers: readonly Container[],
  { whole, isWithoutHeading }: { readonly whole: boolean; readonly isWithoutHeading: boolean },
): Promise<string> {
  const rows = containers.map(({ id, name, pid }) => ({
    ID: whole ? id : shortId(id),
    Names: name,
    Pid: pid ?? 0,
    ...Object.fromEntries(NAMESPACES.map((type) => [type, namespaceNumber(pid, type)])),
  }));
  return formatList({ ...namespaceColumns, isWithoutHeading }, undefined, rows);
}

/** The number of a namespace of a process; empty when the process has ended. */
function namespaceNumber(pid: number | undefined, type: (typeof NAMESPACES)[number]): string {
  return (pid === undefined ? undefined : namespaceOf(pid, type))?.replace(/\D/g, "") ?? "";
}
