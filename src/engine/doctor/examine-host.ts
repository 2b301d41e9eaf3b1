/*
 * What a host allows to its users, as far as containers are concerned, for `bunker doctor`.
 *
 * Each thing is looked at by a function of its own, which is given what it depends on: files below a root, or what has
 * come of an attempt. Wherever an attempt can tell, it counts and not a setting, because distributions forbid things in
 * more ways than there are settings: a user namespace is made, file systems are mounted in it, devices are opened.
 * Settings say what could be done about it. No program is run, and nothing is changed but for the record of which mounts
 * work, in a store that is already there (union-support.ts).
 */
import { release } from "node:os";
import { isRootOfHost } from "../../cgroup/root-of-host.ts";
import { systemdAddress } from "../../cgroup/systemd/address.ts";
import { mountPoints } from "../../mount/mount-points.ts";
import { probeNamespaces } from "../../mount/probe-unions.ts";
import type { Attempt, UnionSupport } from "../../mount/union-support.ts";
import { callersIdMap } from "../../runtime/id-map/callers-id-map.ts";
import { findHelper } from "../../runtime/id-map/find-helper.ts";
import { isPrivileged } from "../../runtime/id-map/write-id-map.ts";
import { BunkerError } from "../../sys/error.ts";
import { loginName } from "../../sys/login-name.ts";
import { unionSupportOf } from "../union-support.ts";
import { cgroupFinding } from "./cgroups.ts";
import { dataDirectoryFinding, fuseFinding, overlayFinding, tunFinding } from "./file-systems.ts";
import type { Caller, Finding } from "./finding.ts";
import { kernelFinding, seccompFinding } from "./kernel.ts";
import { inotifyFinding, keysFinding } from "./quotas.ts";
import { lingerFinding, runtimeDirectoryFinding } from "./session.ts";
import { pingFinding, portsFinding } from "./sockets.ts";
import { appArmorFinding, helperFinding, subordinateIdsFinding, userNamespaceFinding } from "./user-namespaces.ts";

/**
 * Looks at everything that the host could allow, or not, to the calling user.
 * @param data Bunker's data directory
 * @returns findings, what containers need most first; containers can run when none of them is `failed`
 */
export function examineHost(data: string): readonly Finding[] {
  const uid = process.geteuid?.() ?? 0;
  const gids = [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])];
  const caller: Caller = { uid, gids, name: loginName(uid) ?? String(uid), isPrivileged: isPrivileged() };
  const namespaces = attempt(probeNamespaces);
  const { overlay, fuse } = unions(data);
  return [
    kernelFinding(release()),
    userNamespaceFinding(namespaces, caller),
    appArmorFinding(namespaces, caller, process.execPath),
    subordinateIdsFinding(callersIdMap, caller),
    helperFinding("newuidmap", findHelper("newuidmap"), caller),
    helperFinding("newgidmap", findHelper("newgidmap"), caller),
    dataDirectoryFinding(data, mountPoints()),
    overlayFinding(overlay),
    fuseFinding(fuse),
    tunFinding(),
    portsFinding(caller),
    pingFinding(caller),
    cgroupFinding(caller, systemdAddress(process.env, isRootOfHost())?.path),
    seccompFinding(),
    lingerFinding(caller),
    runtimeDirectoryFinding(process.env["XDG_RUNTIME_DIR"], caller),
    inotifyFinding(caller),
    keysFinding(caller),
  ];
}

function attempt(work: () => Attempt): Attempt {
  try {
    return work();
  } catch (error) {
    return { works: false, failure: failureOf(error) };
  }
}

function unions(data: string): Pick<UnionSupport, "overlay" | "fuse"> {
  try {
    return unionSupportOf(data);
  } catch (error) {
    const attempt = { works: false, failure: failureOf(error) } as const;
    return { overlay: attempt, fuse: attempt };
  }
}

function failureOf(error: unknown): string {
  if (!(error instanceof BunkerError)) throw error;
  return error.message;
}
