/*
 * What the kernel counts for each user, and what of it is in use. Containers share these with everything else that
 * belongs to the user, and a container that meets the end of one fails in a way that names none of them: EMFILE of
 * inotify_init(2), ENOSPC of inotify_add_watch(2), EDQUOT of the keyring that each container gets.
 */
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { readIfThere } from "../../sys/read-if-there.ts";
import type { Caller, Finding } from "./finding.ts";

/** A quota of which more is in use is nearly at its end. */
const NEARLY_ALL = 0.9;

interface Quota {
  readonly name: string;
  readonly used: number;
  readonly most: number;
}

/**
 * How many inotify instances and watches the caller may still have; inotify(7). Those of programs that belong to the
 * caller but hide their descriptors from them are not seen.
 * @param root what to read in the place of the host's `/`
 */
export function inotifyFinding({ uid }: Caller, root = ""): Finding {
  const most = (name: string) => Number(readIfThere(`${root}/proc/sys/fs/inotify/${name}`) ?? Number.NaN);
  const used = inotifyUse(`${root}/proc`, uid);
  const quotas = [
    { name: "instances", used: used.instances, most: most("max_user_instances") },
    { name: "watches", used: used.watches, most: most("max_user_watches") },
  ].filter(({ most }) => !Number.isNaN(most));
  const short = quotas.filter(isNearlyUsed);
  return {
    check: "inotify",
    state: short.length > 0 ? "limited" : "ok",
    found: quotas.length > 0 ? quotas.map(describe).join(", ") : "the kernel has none",
    effect: short.length > 0 ? "programs in containers may fail to watch files" : "enough is left",
    remedy:
      short.length > 0
        ? `sysctl -w ${short.map(({ name, most }) => `fs.inotify.max_user_${name}=${most * 4}`).join(" ")}`
        : undefined,
  };
}

function inotifyUse(processes: string, uid: number): { readonly instances: number; readonly watches: number } {
  let instances = 0;
  let watches = 0;
  for (const pid of listIfThere(processes)) {
    if (!/^\d+$/.test(pid) || ownerOf(`${processes}/${pid}`) !== uid) continue;
    for (const descriptor of listIfThere(`${processes}/${pid}/fd`)) {
      if (linkOf(`${processes}/${pid}/fd/${descriptor}`) !== "anon_inode:inotify") continue;
      instances++;
      watches += readIfThere(`${processes}/${pid}/fdinfo/${descriptor}`)?.match(/^inotify /gm)?.length ?? 0;
    }
  }
  return { instances, watches };
}

/**
 * How many keys the caller may still have; `/proc/key-users` of keyrings(7).
 * @param root what to read in the place of the host's `/`
 */
export function keysFinding({ uid }: Caller, root = ""): Finding {
  const check = "keys";
  const users = readIfThere(`${root}/proc/key-users`);
  if (users === undefined) return { check, state: "ok", found: "the kernel has none", effect: "nothing is needed" };
  const line = users.split("\n").find((text) => text.trim().startsWith(`${uid}:`));
  const [, used = 0, most = settingOfKeys(uid, root)] = (/ (\d+)\/(\d+) \d+\/\d+\s*$/.exec(line ?? "") ?? []).map(
    Number,
  );
  const quota = { name: "keys", used, most };
  if (!isNearlyUsed(quota)) {
    return { check, state: "ok", found: describe(quota), effect: "each container has a keyring of its own" };
  }
  return {
    check,
    state: "limited",
    found: describe(quota),
    effect: "soon no more containers start: each has a keyring of its own",
    remedy: `sysctl -w kernel.keys.${uid === 0 ? "root_" : ""}maxkeys=${most * 10}`,
  };
}

/** For a user who has no key yet. */
function settingOfKeys(uid: number, root: string): number {
  return Number(readIfThere(`${root}/proc/sys/kernel/keys/${uid === 0 ? "root_maxkeys" : "maxkeys"}`) ?? 0);
}

function isNearlyUsed({ used, most }: Quota): boolean {
  return used >= most * NEARLY_ALL;
}

function describe({ name, used, most }: Quota): string {
  return `${used} of ${most} ${name} in use`;
}

// Processes end while they are looked at.

function listIfThere(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function ownerOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.uid;
}
