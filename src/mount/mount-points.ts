import { readFileSync } from "node:fs";

/** A place where something is mounted. */
export interface MountPoint {
  readonly path: string;
  /** The filesystem's type, as in /proc/filesystems. */
  readonly type: string;
}

/** What is mounted in this process's mount namespace, in the order of its mounting; proc_pid_mountinfo(5). */
export function mountPoints(): MountPoint[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => {
      const words = line.split(" ");
      const path = words[4]?.replace(/\\([0-7]{3})/g, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      );
      const type = words[words.indexOf("-") + 1];
      return path === undefined || type === undefined ? [] : [{ path, type }];
    });
}
