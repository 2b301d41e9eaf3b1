import { BunkerError } from "../../sys/error.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import type { MountRequest } from "../specification/run-options.ts";

/**
 * `z` and `Z` of `-v` ask for another SELinux label of the source. Where there is no SELinux there is nothing to do.
 * @throws BunkerError `cannot_relabel` where there is
 */
export function checkLabels(mounts: readonly MountRequest[]): void {
  const asking = mounts.find((mount) => "relabel" in mount && mount.relabel !== undefined);
  if (asking === undefined || !("relabel" in asking) || !nodeFileSystem().existsSync("/sys/fs/selinux/enforce")) return;
  const object = asking.type === "bind" ? asking.source : (asking.name ?? asking.destination);
  throw new BunkerError({
    code: "cannot_relabel",
    operation: "relabel",
    object,
    reason: "Bunker changes no SELinux labels",
    hint: `label it yourself: chcon -R -t container_file_t ${object}; and leave z and Z out`,
  });
}
