/*
 * The ways to make a root file system out of an image's layers, best first, and which of them a host and the filesystem
 * of a store permit.
 *
 * 1. The kernel's overlayfs, with `userxattr`: nothing in user space comes near its speed.
 * 2. The same with data-only layers, where the content of all files lies in one place under the files' digests, and a
 *    layer is a tree of references to it.
 * 3. Hybrid: the kernel's overlayfs over a read-only union that a FUSE server shows, where layers need other ids than
 *    they are stored with, or lie on a filesystem that the kernel takes for no lower directory.
 * 4. The whole union over FUSE, where overlayfs cannot be mounted at all.
 * 5. A copy of all layers.
 *
 * Bunker uses the first. What the host permits of the others is found out as well (probe-unions.ts), so that it can be
 * told, and so that there is one place to decide when there are more.
 */
import { BunkerError } from "../sys/error.ts";

/** Whether something can be had here, or else what the attempt failed with. */
export type Attempt = { readonly works: true } | { readonly works: false; readonly failure: string };

/** What attempts in a store's own filesystem have shown. */
export interface UnionSupport {
  /** The kernel's overlayfs, mounted as containers mount it, with whiteouts and opaque directories. */
  readonly overlay: Attempt;
  /** Overlayfs over layers whose files are references to data-only layers. */
  readonly dataOnlyLayers: Attempt;
  /** FUSE mounted in a user namespace. */
  readonly fuse: Attempt;
}

/** One way to make root file systems. */
export interface UnionDriver {
  readonly name: "overlay" | "overlay with data-only layers" | "hybrid" | "fuse" | "copy";
  /** What keeps it from being used here; undefined for the ways that can be. */
  readonly missing: string | undefined;
}

const NO_SERVER = "Bunker has no FUSE server yet";

/** All ways, best first, and what each lacks. */
export function unionDrivers({ overlay, dataOnlyLayers, fuse }: UnionSupport): readonly UnionDriver[] {
  const missing = (...attempts: Attempt[]) => attempts.find((attempt) => !attempt.works)?.failure;
  return [
    { name: "overlay", missing: missing(overlay) },
    {
      name: "overlay with data-only layers",
      missing: missing(overlay, dataOnlyLayers) ?? "Bunker unpacks layers as plain directories so far",
    },
    { name: "hybrid", missing: missing(overlay, fuse) ?? NO_SERVER },
    { name: "fuse", missing: missing(fuse) ?? NO_SERVER },
    { name: "copy", missing: "Bunker copies no layers yet" },
  ];
}

/**
 * Decides how root file systems are made in a store.
 * @param store for the message
 * @throws BunkerError `no_union` when there is no way that Bunker can go
 */
export function chooseUnionDriver(support: UnionSupport, store: string): UnionDriver["name"] {
  // The first of them, nearly always: the others are not looked through then.
  if (support.overlay.works) return "overlay";
  const drivers = unionDrivers(support);
  const chosen = drivers.find(({ missing }) => missing === undefined);
  if (chosen !== undefined) return chosen.name;
  throw new BunkerError({
    code: "no_union",
    operation: "make root file systems in",
    object: store,
    reason: drivers[0]?.missing,
    hint:
      "the kernel's overlayfs is the only way that Bunker has so far: it needs Linux 5.11, " +
      "and XDG_DATA_HOME on a local filesystem with user.* attributes, such as ext4, XFS or Btrfs",
  });
}
