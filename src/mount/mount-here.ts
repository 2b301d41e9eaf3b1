import { launch, readFailure } from "../launch/launch.ts";
import { LaunchProgram } from "../launch/program.ts";
import { attach, newFilesystem } from "../runtime/steps/mounts.ts";
import { MountAttribute } from "../sys/mount.ts";
import { AT_FDCWD, OpenFlag } from "../sys/open.ts";
import { waitForExit } from "../sys/process.ts";
import { mountOverlay, type OverlayMount, overlayProgramSize } from "./overlay.ts";

const PROGRAM_SIZE = 65536;

/**
 * Mounts a union in the present mount namespace, for a caller who is root there.
 * @param base as `mountOverlay`
 * @throws BunkerError what the mount fails with
 */
export function mountHere(base: string, overlay: OverlayMount): void {
  obey(overlayProgramSize(overlay), (program) => mountOverlay(program, base, overlay));
}

/** Mounts a file system in memory in the present mount namespace, for its root alone. Throws as `mountHere`. */
export function mountMemoryHere(target: string): void {
  obey(0, (program) => {
    const what = { operation: "mount tmpfs on", object: target };
    const attributes = MountAttribute.NODEV | MountAttribute.NOSUID;
    const mount = newFilesystem(program, "tmpfs", "tmpfs", attributes, [["mode", "755"]], what);
    const slot = program.slot("target");
    const flags = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
    program.call("openat", [AT_FDCWD, program.text(target), flags], what, { result: slot });
    attach(program, mount, slot, what);
  });
}

function obey(size: number, emit: (program: LaunchProgram) => void): void {
  using program = new LaunchProgram(PROGRAM_SIZE + size);
  emit(program);
  program.call("exit_group", [0], { operation: "leave" });
  const child = launch(program, { flags: 0 });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  const failure = readFailure(child, program);
  waitForExit(child.pid);
  if (failure !== undefined) throw failure;
}
