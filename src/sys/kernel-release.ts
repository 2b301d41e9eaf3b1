import { readText } from "./named-file.ts";

let release: string | undefined;

/** The release of the running kernel: `6.1.0-18-amd64`; proc_sys_kernel(5). */
export function kernelRelease(): string {
  release ??= readText("/proc/sys/kernel/osrelease").trim();
  return release;
}
