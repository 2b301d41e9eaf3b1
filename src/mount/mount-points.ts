import { nodeFileSystem } from "../sys/node-modules.ts";

/** A place where something is mounted. */
export interface MountPoint {
  readonly path: string;
  /** The filesystem's type, as in /proc/filesystems. */
  readonly type: string;
  /** Of what is mounted, `MAJOR:MINOR`. */
  readonly device: string;
}

/**
 * What is mounted in the mount namespace of a process, ours without a pid, in the order of its mounting;
 * proc_pid_mountinfo(5).
 */
export function mountPoints(pid: number | "self" = "self"): MountPoint[] {
  return nodeFileSystem()
    .readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const words = line.split(" ");
      const path = words[4]?.replace(/\\([0-7]{3})/g, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      );
      const type = words[words.indexOf("-") + 1];
      const device = words[2];
      return path === undefined || type === undefined || device === undefined ? [] : [{ path, type, device }];
    });
}
