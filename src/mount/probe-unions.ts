/*
 * Finding out how root file systems can be made in a directory, by making one.
 *
 * No version of a kernel and no list of filesystems says whether a mount will work: distributions carry patches and
 * forbid things, and a filesystem may be mounted without attributes. So each way is tried, in the directory itself, by a
 * child in user and mount namespaces of its own, which take everything that was mounted along when it ends. An id map
 * of the caller's id alone serves, and needs no helper.
 */

import { readFailure } from "../launch/launch.ts";
import { LaunchProgram } from "../launch/program.ts";
import type { IdMap } from "../runtime/id-map/id-mapping.ts";
import { isPrivileged } from "../runtime/id-map/write-id-map.ts";
import { launchAsRoot } from "../runtime/launch-as-root.ts";
import { openDirectory } from "../runtime/steps/files.ts";
import { attach, newFilesystem } from "../runtime/steps/mounts.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { encodeText } from "../sys/byte-string.ts";
import { CloneFlag } from "../sys/clone.ts";
import { openAt, setAttribute } from "../sys/file.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { MountFlag } from "../sys/mount.ts";
import { nodeFileSystem, nodePath } from "../sys/node-modules.ts";
import { AT_FDCWD, AT_REMOVEDIR, OpenFlag } from "../sys/open.ts";
import { waitForExit } from "../sys/process.ts";
import { check } from "../sys/system-call.ts";
import { mountOverlay } from "./overlay.ts";
import type { Attempt, UnionSupport } from "./union-support.ts";

const PROGRAM_SIZE = 65536;
const CONTENT = "data";

/**
 * Tries the ways to make a root file system.
 * @param directory an empty directory on the store's filesystem; the caller removes it with what is in it then
 * @throws BunkerError `no_user_namespace` where nothing can be tried
 */
export function probeUnions(directory: string): UnionSupport {
  return {
    overlay: attempt((program) => tryOverlay(program, makePlace(directory, "overlay"))),
    dataOnlyLayers: tryDataOnlyLayers(makePlace(directory, "data-only")),
    fuse: attempt((program) => tryFuse(program, makePlace(directory, "fuse"))),
  };
}

/**
 * Tries to be root of user and mount namespaces, which everything else is built on.
 * @throws BunkerError `no_user_namespace` where the first cannot be made
 */
export function probeNamespaces(): Attempt {
  return attempt(() => {});
}

function makePlace(directory: string, name: string): string {
  const path = nodePath().join(directory, name);
  nodeFileSystem().mkdirSync(path);
  nodeFileSystem().mkdirSync(nodePath().join(path, "target"));
  return path;
}

/** The caller's own ids, as root; undefined for a caller who needs no namespace to mount. */
function ownIdMap(): IdMap | undefined {
  if (isPrivileged()) return undefined;
  const mapping = (id = 0) => [{ containerID: 0, hostID: id, size: 1 }];
  return { uidMappings: mapping(process.geteuid?.()), gidMappings: mapping(process.getegid?.()) };
}

/** Runs operations in a child with mounts of its own. */
function attempt(emit: (program: LaunchProgram) => void): Attempt {
  using program = new LaunchProgram(PROGRAM_SIZE);
  const what = { operation: "try to mount" };
  const child = launchAsRoot(program, ownIdMap(), CloneFlag.NEWNS, () => {
    program.call("mount", [0, program.text("/"), 0, MountFlag.MS_REC | MountFlag.MS_SLAVE, 0], what);
    emit(program);
    program.call("exit_group", [0], what);
  });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  const failure = readFailure(child, program);
  waitForExit(child.pid);
  return failure === undefined ? { works: true } : { works: false, failure: failure.message };
}

/** An overlay in which a file is hidden, and a directory hides what is below its namesake. */
function tryOverlay(program: LaunchProgram, place: string): void {
  const at = (name: string) => nodePath().join(place, name);
  const [lower, upper, work, target] = [at("lower"), at("upper"), at("work"), at("target")];
  for (const path of [lower, upper, work, nodePath().join(lower, "replaced")]) nodeFileSystem().mkdirSync(path);
  nodeFileSystem().writeFileSync(nodePath().join(lower, "removed"), "");
  mountOverlay(program, place, { lower: [lower], changes: { upper, work, volatile: false }, target });
  const what = { operation: "change a mounted overlay in", object: place };
  const [removed, replaced] = [
    program.text(nodePath().join(target, "removed")),
    program.text(nodePath().join(target, "replaced")),
  ];
  program.call("unlinkat", [AT_FDCWD, removed, 0], what);
  program.call("unlinkat", [AT_FDCWD, replaced, AT_REMOVEDIR], what);
  // Without `userxattr` the mark of the new directory cannot be written: EIO.
  program.call("mkdirat", [AT_FDCWD, replaced, 0o755], what);
}

/** An overlay with a file whose content is a file of a layer below that shows nothing itself. */
function tryDataOnlyLayers(place: string): Attempt {
  const at = (name: string) => nodePath().join(place, name);
  const [references, data, target] = [at("references"), at("data"), at("target")];
  // Older kernels make no overlay of a single directory without a writable one: so a second, with nothing in it.
  for (const path of [at("nothing"), references, data]) nodeFileSystem().mkdirSync(path);
  nodeFileSystem().writeFileSync(nodePath().join(data, "content"), CONTENT);
  const reference = nodePath().join(references, "file");
  nodeFileSystem().writeFileSync(reference, "");
  nodeFileSystem().truncateSync(reference, CONTENT.length);
  try {
    using file = new FileDescriptor(
      check(openAt(AT_FDCWD, encodeText(reference), OpenFlag.O_WRONLY), "open", reference),
    );
    const attributes = [
      ["user.overlay.metacopy", ""],
      ["user.overlay.redirect", "/content"],
    ] as const;
    for (const [name, value] of attributes) {
      check(setAttribute(file.number, name as ByteString, value as ByteString), `set ${name} of`, reference);
    }
  } catch (error) {
    return { works: false, failure: error instanceof Error ? error.message : String(error) };
  }
  return attempt((program) => {
    const what = { operation: "mount an overlay with a data-only layer on", object: target };
    program.call("chdir", [program.text(place)], what);
    const layers = [
      ["lowerdir", "nothing:references::data"],
      ["userxattr", undefined],
    ] as const;
    attach(
      program,
      newFilesystem(program, "overlay", "overlay", 0, layers, what),
      openDirectory(program, target, "target"),
      what,
    );
    const read = { operation: "read a file whose content is in a data-only layer of", object: target };
    const file = program.slot("file");
    const count = program.slot("count");
    const buffer = program.reserve(8);
    const isWhole = program.label("is whole");
    const path = program.text(nodePath().join(target, "file"));
    program.call("openat", [AT_FDCWD, path, OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC], read, { result: file });
    program.call("read", [file, buffer.address, CONTENT.length], read, { result: count });
    program.load32(count, buffer.address);
    program.branch(count, "equal", Buffer.from(CONTENT).readInt32LE(), isWhole);
    program.fail({ ...read, reason: "it has another content" });
    program.place(isWhole);
  });
}

/** A mount of FUSE, whose server never answers: nobody looks into it. */
function tryFuse(program: LaunchProgram, place: string): void {
  const target = nodePath().join(place, "target");
  const DEVICE = "/dev/fuse";
  const NUMBER = 100;
  const device = program.slot("device");
  program.call(
    "openat",
    [AT_FDCWD, program.text(DEVICE), OpenFlag.O_RDWR | OpenFlag.O_CLOEXEC],
    { operation: "open", object: DEVICE },
    { result: device },
  );
  const what = { operation: "mount FUSE on", object: target };
  program.call("dup3", [device, NUMBER, OpenFlag.O_CLOEXEC], what);
  const data = `fd=${NUMBER},rootmode=40000,user_id=0,group_id=0`;
  const type = program.text("fuse");
  const flags = MountFlag.MS_NOSUID | MountFlag.MS_NODEV;
  program.call("mount", [type, program.text(target), type, flags, program.text(data)], what);
}
