import { existsSync } from "node:fs";
import { readIfThere } from "../../sys/read-if-there.ts";
import { isBootedWithSystemd, lingers } from "../autostart/systemd-host.ts";
import type { Caller, Finding } from "./finding.ts";

const MOUNT = "/sys/fs/cgroup";
/** What limits of containers are made of. */
const CONTROLLERS = ["cpu", "cpuset", "io", "memory", "pids"];
const DELEGATE =
  "mkdir -p /etc/systemd/system/user@.service.d && " +
  "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf && " +
  "systemctl daemon-reload";
const UNIFY = `sed -i 's/^GRUB_CMDLINE_LINUX="/&systemd.unified_cgroup_hierarchy=1 /' /etc/default/grub && update-grub`;
const SOFT =
  "limits on memory, processors and processes are kept by watching only, with others containers do not start";
const check = "cgroups";

/**
 * Whether containers can be limited: Bunker asks the caller's systemd for a cgroup of v2, in which the controllers count
 * that systemd itself was given; cgroups(7).
 * @param bus the socket at which this systemd can be asked; undefined when there is none
 * @param root what to look at in the place of the host's `/`
 */
export function cgroupFinding({ uid, name }: Caller, bus: string | undefined, root = ""): Finding {
  const mount = root + MOUNT;
  const isThere = (path: string) => existsSync(`${mount}/${path}`);
  if (!isThere("cgroup.controllers")) {
    const isHybrid = isThere("unified/cgroup.procs");
    const isFirst = isHybrid || isThere("memory") || isThere("systemd");
    return {
      check,
      state: "limited",
      found: isHybrid ? "v1, and a v2 without controllers" : isFirst ? "v1" : `none at ${MOUNT}`,
      effect: `${SOFT}; the others need v2`,
      remedy: isFirst && existsSync(`${root}/etc/default/grub`) ? UNIFY : undefined,
    };
  }
  const hasSystemd = isBootedWithSystemd(root);
  if (bus === undefined) {
    return {
      check,
      state: "limited",
      found: uid === 0 ? "v2, no systemd can be asked for one" : "v2, no systemd of yours can be asked for one",
      effect: SOFT,
      remedy: hasSystemd && uid !== 0 && !lingers(name, root) ? `loginctl enable-linger ${name}` : undefined,
    };
  }
  const group = uid === 0 ? "" : `/user.slice/user-${uid}.slice/user@${uid}.service`;
  const delegated = readIfThere(`${mount}${group}/cgroup.controllers`)?.trim().split(/\s+/) ?? [];
  const [there, missing] = [true, false].map((isWanted) =>
    CONTROLLERS.filter((controller) => delegated.includes(controller) === isWanted).join(", "),
  );
  const found = `v2, delegated: ${there || "no controllers"}`;
  if (missing === "") return { check, state: "ok", found, effect: "containers can be limited" };
  const effect = `containers with limits by ${missing} do not start`;
  return { check, state: "limited", found, effect, remedy: hasSystemd && uid !== 0 ? DELEGATE : undefined };
}
