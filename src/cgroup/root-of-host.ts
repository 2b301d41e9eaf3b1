import { isInInitialUserNamespace } from "../runtime/id-map/write-id-map.ts";

/** Whether we are root, and not that of a user namespace: then the system's systemd is ours, and devices can be limited. */
export function isRootOfHost(): boolean {
  return process.geteuid?.() === 0 && isInInitialUserNamespace();
}
