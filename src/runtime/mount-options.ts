import { BunkerError } from "../sys/error.ts";
import { MountAttribute, MountFlag } from "../sys/mount.ts";

/** Bits to set and to clear among the mount attributes of mount_setattr(2). */
interface AttributeChange {
  readonly set: number;
  readonly clear: number;
}

/** The options of one mount of the OCI specification, sorted by what has to be done with them. */
export interface MountOptions {
  readonly bind: "none" | "bind" | "rbind";
  readonly remount: boolean;
  /** For the mount itself. */
  readonly attributes: AttributeChange;
  /** For the mount and all below it (`rro`, `rnosuid`, …). */
  readonly recursiveAttributes: AttributeChange;
  readonly propagation: readonly { readonly flag: number; readonly recursive: boolean }[];
  readonly copyUp: boolean;
  readonly idMap: "none" | "idmap" | "ridmap";
  /** The mapping that crun's form of the option names, `idmap=uids=0-1-10;gids=0-100-10`, without the word and its `=`. */
  readonly idMapping: string | undefined;
  /** What the filesystem itself is told, in order: flags such as `sync` (no value) and `key=value` pairs. */
  readonly data: readonly (readonly [key: string, value: string | undefined])[];
}

const { RDONLY, NOSUID, NODEV, NOEXEC, NODIRATIME, NOSYMFOLLOW, NOATIME, STRICTATIME, ATIME_FIELD } = MountAttribute;

/** Attribute options without the `r` of their recursive form. */
const attributeOptions: ReadonlyMap<string, AttributeChange> = new Map(
  Object.entries({
    ro: { set: RDONLY, clear: 0 },
    rw: { set: 0, clear: RDONLY },
    nosuid: { set: NOSUID, clear: 0 },
    suid: { set: 0, clear: NOSUID },
    nodev: { set: NODEV, clear: 0 },
    dev: { set: 0, clear: NODEV },
    noexec: { set: NOEXEC, clear: 0 },
    exec: { set: 0, clear: NOEXEC },
    nodiratime: { set: NODIRATIME, clear: 0 },
    diratime: { set: 0, clear: NODIRATIME },
    nosymfollow: { set: NOSYMFOLLOW, clear: 0 },
    symfollow: { set: 0, clear: NOSYMFOLLOW },
    noatime: { set: NOATIME, clear: ATIME_FIELD },
    strictatime: { set: STRICTATIME, clear: ATIME_FIELD },
    relatime: { set: 0, clear: ATIME_FIELD },
    atime: { set: 0, clear: ATIME_FIELD },
    norelatime: { set: 0, clear: ATIME_FIELD },
    nostrictatime: { set: 0, clear: ATIME_FIELD },
  }),
);

/**
 * What a fresh mount or a bind already is. Asked for by name they change nothing, and must not be forced: in a user
 * namespace the kernel refuses to clear what the mounts of the host have locked.
 */
const attributeDefaults: ReadonlySet<string> = new Set(["rw", "relatime", "atime", "norelatime", "nostrictatime"]);

const propagationOptions: ReadonlyMap<string, number> = new Map(
  Object.entries({
    private: MountFlag.MS_PRIVATE,
    slave: MountFlag.MS_SLAVE,
    shared: MountFlag.MS_SHARED,
    unbindable: MountFlag.MS_UNBINDABLE,
  }),
);

/** Generic options that the superblock knows under the same name. */
const superblockFlags: ReadonlySet<string> = new Set([
  "sync",
  "async",
  "dirsync",
  "lazytime",
  "nolazytime",
  "mand",
  "nomand",
]);

/** Without effect on Linux since long ago, but part of the specification's table. */
const withoutEffect: ReadonlySet<string> = new Set(["defaults", "silent", "loud", "iversion", "noiversion", ""]);

const noChange: AttributeChange = { set: 0, clear: 0 };

function merge(before: AttributeChange, change: AttributeChange): AttributeChange {
  return {
    set: (before.set & ~change.clear) | change.set,
    clear: (before.clear & ~change.set) | change.clear,
  };
}

/**
 * Reads a propagation word such as `rslave`.
 * @returns undefined for any other word
 */
export function parsePropagation(word: string): { readonly flag: number; readonly recursive: boolean } | undefined {
  const recursive = word.startsWith("r") && propagationOptions.has(word.slice(1));
  const flag = propagationOptions.get(recursive ? word.slice(1) : word);
  return flag === undefined ? undefined : { flag, recursive };
}

/**
 * Sorts the options of a mount; later ones win over earlier ones. Words that are not in the specification's table are
 * data for the filesystem.
 * @param words `mounts[].options` of config.json
 */
export function parseMountOptions(words: readonly string[]): MountOptions {
  let bind: MountOptions["bind"] = "none";
  let idMap: MountOptions["idMap"] = "none";
  let idMapping: string | undefined;
  let remount = false;
  let copyUp = false;
  let attributes = noChange;
  let recursiveAttributes = noChange;
  const propagation: { flag: number; recursive: boolean }[] = [];
  const data: [string, string | undefined][] = [];
  for (const word of words) {
    const attribute = attributeOptions.get(word);
    const recursiveAttribute = word.startsWith("r") ? attributeOptions.get(word.slice(1)) : undefined;
    const propagationChange = parsePropagation(word);
    if (word === "bind" || word === "rbind") bind = word;
    else if (word === "idmap" || word === "ridmap") [idMap, idMapping] = [word, undefined];
    else if (word === "remount") remount = true;
    else if (word === "tmpcopyup") copyUp = true;
    else if (attribute !== undefined) {
      if (attributeDefaults.has(word)) attributes = { set: attributes.set & ~attribute.clear, clear: attributes.clear };
      else attributes = merge(attributes, attribute);
    } else if (recursiveAttribute !== undefined) recursiveAttributes = merge(recursiveAttributes, recursiveAttribute);
    else if (propagationChange !== undefined) propagation.push(propagationChange);
    else if (superblockFlags.has(word)) data.push([word, undefined]);
    else if (!withoutEffect.has(word)) {
      const equals = word.indexOf("=");
      const [key, value] = equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
      if (key === "idmap" || key === "ridmap") [idMap, idMapping] = [key, value];
      else data.push([key, value]);
    }
  }
  return { bind, remount, attributes, recursiveAttributes, propagation, copyUp, idMap, idMapping, data };
}

/**
 * Refuses options that a bind mount cannot obey, since it has no filesystem of its own to tell them to.
 * @throws BunkerError `bad_mount_option`
 */
export function checkBindOptions(options: MountOptions, destination: string): void {
  const first = options.copyUp ? "tmpcopyup" : options.data[0]?.[0];
  if (first === undefined) return;
  throw new BunkerError({
    code: "bad_mount_option",
    operation: "bind mount on",
    object: destination,
    reason: `option ${first} is for filesystems, not for bind mounts`,
  });
}

/** Every option that has a meaning for all filesystems, sorted; what a filesystem itself takes is not among them. */
export function mountOptionNames(): string[] {
  const both = (names: readonly string[]) => names.flatMap((name) => [name, `r${name}`]);
  return [
    ...["bind", "rbind", "idmap", "ridmap", "remount", "tmpcopyup"],
    ...both([...attributeOptions.keys()]),
    ...both([...propagationOptions.keys()]),
    ...superblockFlags,
    ...[...withoutEffect].filter((name) => name !== ""),
  ].toSorted();
}
