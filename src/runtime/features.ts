import { Errno } from "../sys/errno.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { CAPABILITY_NAMES } from "./configuration/capabilities.ts";
import { NamespaceFlag } from "./configuration/namespaces.ts";
import { mountOptionNames } from "./mount-options.ts";
import { SECCOMP_FLAG_BITS } from "./seccomp/compile.ts";
import {
  SECCOMP_ACTIONS,
  SECCOMP_ARCHITECTURES,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
  type SeccompFlag,
} from "./seccomp/seccomp.ts";
import { OCI_VERSION } from "./state.ts";

/**
 * Asks the kernel whether it knows a flag of seccomp(2). With no filter to read, a known flag is answered by EFAULT
 * and an unknown one by EINVAL, which is also the answer to WAIT_KILLABLE_RECV without a listener: so that is added.
 */
function isKnownToKernel(flag: SeccompFlag): boolean {
  const SECCOMP_SET_MODE_FILTER = 1;
  const SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3;
  const listener = flag === "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  const flags = SECCOMP_FLAG_BITS[flag] | listener;
  return systemCall(SystemCall.seccomp, SECCOMP_SET_MODE_FILTER, flags, 0) === -Errno.EFAULT;
}

/** What this runtime implements, whatever the host has enabled; features.md and features-linux.md. */
export function features() {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: OCI_VERSION,
    hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: Object.keys(NamespaceFlag).toSorted(),
      capabilities: CAPABILITY_NAMES,
      cgroup: { v1: false, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: {
        enabled: true,
        actions: SECCOMP_ACTIONS,
        operators: SECCOMP_OPERATORS,
        archs: SECCOMP_ARCHITECTURES,
        knownFlags: SECCOMP_FLAGS,
        supportedFlags: SECCOMP_FLAGS.filter(isKnownToKernel),
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: false },
    },
    potentiallyUnsafeConfigAnnotations: ["run.oci.keep_original_groups"],
  };
}
