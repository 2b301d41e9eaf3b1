/*
 * A private copy-on-write view of a directory of the host, as the root file system of a container (`--rootfs DIR:O`).
 *
 * One overlay over the directory would do, if nothing were mounted below it. But in a new user namespace the host's
 * mounts are locked together, so that nobody sees what a mount hides, and the kernel refuses as a lower directory
 * whatever has mounts below ("/" nearly always). So the view is put together: a directory with mounts below it is made
 * anew, empty, and its entries are treated one by one; every entry without mounts below becomes an overlay of its own.
 * Symbolic links are made again. Plain files beside such directories are bound read-only.
 *
 * Some directories are better empty than shared: those of kernel filesystems, which the container gets from its own
 * configuration; and, in a view of "/", the homes and the places where programs of the host leave their sockets and
 * temporary files. The caller is user 0 in the container, so it could read all of its own files otherwise.
 */

import type { Stats } from "node:fs";
import type { LaunchProgram } from "../launch/program.ts";
import { attach, cloneTree, setAttributes } from "../runtime/steps/mounts.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { homeDirectory } from "../sys/home-directory.ts";
import { MountAttribute } from "../sys/mount.ts";
import { nodeFileSystem, nodePath } from "../sys/node-modules.ts";
import { AT_FDCWD, OpenFlag } from "../sys/open.ts";
import { mountPoints } from "./mount-points.ts";
import { mountOverlay } from "./overlay.ts";

/** Directories of "/" that a view of it shows empty, besides the caller's home. */
const PRIVATE_DIRECTORIES = ["/home", "/root", "/run", "/tmp", "/var/tmp", "/var/run"];

/** Filesystems without files of anybody's. */
const KERNEL_FILESYSTEMS: ReadonlySet<string> = new Set([
  "autofs",
  "binfmt_misc",
  "bpf",
  "cgroup",
  "cgroup2",
  "configfs",
  "debugfs",
  "devpts",
  "devtmpfs",
  "efivarfs",
  "fusectl",
  "hugetlbfs",
  "mqueue",
  "proc",
  "pstore",
  "ramfs",
  "securityfs",
  "sysfs",
  "tmpfs",
  "tracefs",
]);

const NAME_LENGTH = 32;

/** One place of the view, relative to its root. */
type Place =
  | { readonly kind: "overlay"; readonly path: string; readonly lower: string; readonly mode: number }
  | { readonly kind: "file"; readonly path: string; readonly source: string };

/** How a view is mounted. */
export interface HostView {
  /** What the view is of. */
  readonly source: string;
  readonly places: readonly Place[];
}

/**
 * Plans a view, and makes the directories, links and empty files that it consists of besides its mounts.
 * @param source an absolute path without symbolic links
 * @param skeleton a directory that becomes the view's root: empty, or as an earlier plan has made it
 * @param store where the view's own files lie: shown empty, since an overlay must not contain itself
 */
export function planHostView(source: string, skeleton: string, store: string): HostView {
  const mounts = mountPoints();
  const hidden = new Set([store, ...(source === "/" ? [...PRIVATE_DIRECTORIES, homeDirectory()] : [])]);
  const places: Place[] = [];
  const isBelow = (path: string, directory: string) => path.startsWith(directory === "/" ? "/" : `${directory}/`);

  const visit = (path: string, inside: string) => {
    const target = nodePath().join(skeleton, inside);
    const status = nodeFileSystem().lstatSync(path);
    if (status.isSymbolicLink()) {
      if (!hidden.has(path)) makeLink(nodeFileSystem().readlinkSync(path), target);
      else makeDirectory(target);
      return;
    }
    if (!status.isDirectory()) {
      if (!status.isFile()) return;
      makeFile(target);
      places.push({ kind: "file", path: inside, source: path });
      return;
    }
    makeDirectory(target);
    const ownMount = mounts.findLast((mount) => mount.path === path);
    const isKernels = path !== source && ownMount !== undefined && KERNEL_FILESYSTEMS.has(ownMount.type);
    if (hidden.has(path) || isKernels) return;
    const hasHidden = [...hidden].some((directory) => isBelow(directory, path));
    const hasMounts = mounts.some((mount) => mount.path !== path && isBelow(mount.path, path));
    if (!hasHidden && !hasMounts) {
      places.push({ kind: "overlay", path: inside, lower: path, mode: status.mode & 0o7777 });
      return;
    }
    for (const name of readableNames(path)) visit(nodePath().join(path, name), nodePath().join(inside, name));
  };
  visit(source, "/");
  return { source, places };
}

/**
 * Makes an entry of the skeleton, or finds it there from an earlier start. The container can write to the skeleton, so
 * what it may have put in the place of an entry is not followed and not overwritten.
 * @throws BunkerError `view_changed`
 */
function makeEntry(target: string, make: () => void, isIt: (status: Stats) => boolean): void {
  try {
    make();
  } catch (error) {
    if (errnoOf(error) !== Errno.EEXIST) throw error;
    if (isIt(nodeFileSystem().lstatSync(target))) return;
    throw new BunkerError({
      code: "view_changed",
      operation: "put together the view of a directory",
      object: target,
      reason: "the container has put something else in its place",
      hint: "create the container anew",
    });
  }
}

function makeDirectory(target: string): void {
  makeEntry(
    target,
    () => {
      nodeFileSystem().mkdirSync(target);
      // Whatever the umask: it is seen by all users of the container.
      nodeFileSystem().chmodSync(target, 0o755);
    },
    (status) => status.isDirectory(),
  );
}

function makeFile(target: string): void {
  makeEntry(
    target,
    () => nodeFileSystem().writeFileSync(target, "", { flag: "wx" }),
    (status) => status.isFile(),
  );
}

function makeLink(to: string, target: string): void {
  makeEntry(
    target,
    () => nodeFileSystem().symlinkSync(to, target),
    (status) => status.isSymbolicLink(),
  );
}

function readableNames(path: string): string[] {
  try {
    return nodeFileSystem().readdirSync(path);
  } catch {
    // Not readable for the caller, so not for the container either.
    return [];
  }
}

/** How many bytes the mounts of a view may need in a launch program. */
export function hostViewProgramSize({ places }: HostView): number {
  const FOR_EACH_PLACE = 4096;
  return places.reduce((sum, { path }) => sum + FOR_EACH_PLACE + Buffer.byteLength(path), 0);
}

/**
 * Emits the mounts of a view.
 * @param skeleton the directory given to `planHostView`
 * @param writable a directory for the upper and work directories of the overlays, which are made here
 */
export function mountHostView(
  program: LaunchProgram,
  view: HostView,
  skeleton: string,
  writable: string,
  isVolatile: boolean,
): void {
  const what = { operation: "mount the view of", object: view.source };
  const open = (path: string) => {
    const target = program.slot("view target");
    program.call("openat", [AT_FDCWD, program.text(path), OpenFlag.O_PATH | OpenFlag.O_CLOEXEC], what, {
      result: target,
    });
    return target;
  };
  attach(program, cloneTree(program, skeleton, false, what), open(skeleton), what);
  for (const place of view.places) {
    const target = nodePath().join(skeleton, place.path);
    if (place.kind === "file") {
      const file = cloneTree(program, place.source, false, what);
      setAttributes(program, file, { set: MountAttribute.RDONLY }, false, what);
      attach(program, file, open(target), what);
      continue;
    }
    // Named for the place, which at a later start may be another one in order.
    const name = new Bun.CryptoHasher("sha256").update(place.path).digest("hex").slice(0, NAME_LENGTH);
    const upper = nodePath().join(writable, `upper-${name}`);
    const work = nodePath().join(writable, `work-${name}`);
    if (!nodeFileSystem().existsSync(upper)) {
      nodeFileSystem().mkdirSync(upper);
      // The top directory of an overlay looks as its upper one does.
      nodeFileSystem().chmodSync(upper, place.mode);
    }
    nodeFileSystem().mkdirSync(work, { recursive: true });
    mountOverlay(program, writable, { lower: [place.lower], changes: { upper, work, volatile: isVolatile }, target });
  }
}
