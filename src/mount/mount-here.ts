import { launch, readFailure } from "../launch/launch.ts";
import { LaunchProgram } from "../launch/program.ts";
import { waitForExit } from "../sys/process.ts";
import { mountOverlay, type OverlayMount, overlayProgramSize } from "./overlay.ts";

const PROGRAM_SIZE = 65536;

/**
 * Mounts a union in the present mount namespace, for a caller who is root there.
 * @param base as `mountOverlay`
 * @throws BunkerError what the mount fails with
 */
export function mountHere(base: string, overlay: OverlayMount): void {
  using program = new LaunchProgram(PROGRAM_SIZE + overlayProgramSize(overlay));
  mountOverlay(program, base, overlay);
  program.call("exit_group", [0], { operation: "leave" });
  const child = launch(program, { flags: 0 });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  const failure = readFailure(child, program);
  waitForExit(child.pid);
  if (failure !== undefined) throw failure;
}
