import { readIfThere } from "../../sys/read-if-there.ts";
import type { Finding } from "./finding.ts";

/** The oldest kernel that has all system calls that Bunker relies on; the newest of them is mount_setattr(2). */
const OLDEST = { major: 5, minor: 12 };

/**
 * The kernel's version.
 * @param release as uname(2) gives it
 */
export function kernelFinding(release: string): Finding {
  const [major = 0, minor = 0] = release.split(/[.-]/, 2).map(Number);
  const isRecent = major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor);
  return {
    check: "kernel",
    state: isRecent ? "ok" : "failed",
    found: `Linux ${release}`,
    effect: isRecent
      ? "has all that Bunker needs"
      : `containers do not run: Bunker needs Linux ${OLDEST.major}.${OLDEST.minor}`,
  };
}

/**
 * Whether the kernel takes system call filters; proc_sys_kernel(5), seccomp(2).
 * @param root what to read in the place of the host's `/`
 */
export function seccompFinding(root = ""): Finding {
  const actions = readIfThere(`${root}/proc/sys/kernel/seccomp/actions_avail`)?.trim().split(" ") ?? [];
  if (!actions.includes("errno") || !actions.includes("allow")) {
    return {
      check: "seccomp",
      state: "limited",
      found: "the kernel takes no filters (CONFIG_SECCOMP_FILTER)",
      effect: "containers run only with --security-opt seccomp=unconfined",
    };
  }
  const isFiltered = /^Seccomp:\s*2$/m.test(readIfThere(`${root}/proc/self/status`) ?? "");
  return {
    check: "seccomp",
    state: "ok",
    found: isFiltered ? "filters are taken; one already holds for this process" : "filters are taken",
    effect: "containers get the default profile",
  };
}
