/*
 * The container's terminal (`process.terminal`).
 *
 * The pair is made inside, from the container's own devpts instance, so that its name there is the one that ttyname(3)
 * finds. The container's side opens ptmx, asks the kernel for the peer by descriptor (no path of the image is trusted),
 * binds the peer onto /dev/console, and sends the master over a unix socket to the process that launched it.
 */
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { sendDescriptor } from "../../launch/send-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { TerminalRequest, type WindowSize, windowSizeBytes } from "../../sys/terminal.ts";
import { closeSlot, openInRoot } from "./files.ts";
import { attach, cloneTree } from "./mounts.ts";
import { openOrMake } from "./open-or-make.ts";

const { O_RDWR, O_NOCTTY, O_CLOEXEC } = OpenFlag;

/**
 * Makes a terminal pair and sends its master away.
 * @param root the directory in which dev/pts is mounted
 * @param masterSocket the descriptor of the unix socket that the master goes to
 * @param console where the peer is to be bound as well (`/dev/console`), or undefined
 * @returns the slot with the peer's descriptor
 */
export function makeTerminal(
  program: LaunchProgram,
  root: Slot,
  masterSocket: number,
  size: WindowSize | undefined,
  console: string | undefined,
): Slot {
  const what = { operation: "open a terminal", object: "/dev/pts/ptmx" };
  const peer = program.slot("terminal");
  const master = openInRoot(program, root, "/dev/pts/ptmx", { flags: O_RDWR | O_NOCTTY, what });
  const unlocked = program.reserve(4);
  program.call("ioctl", [master, TerminalRequest.TIOCSPTLCK, unlocked.address], what);
  program.call("ioctl", [master, TerminalRequest.TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC], what, { result: peer });
  if (size !== undefined) {
    program.call("ioctl", [master, TerminalRequest.TIOCSWINSZ, program.bytes(windowSizeBytes(size))], {
      operation: "set the terminal's size",
    });
  }
  sendDescriptor(program, masterSocket, master, { operation: "send the terminal's master" });
  closeSlot(program, master);
  if (console !== undefined) {
    const bind = { operation: "bind the terminal on", object: console };
    attach(program, cloneTree(program, peer, false, bind), openOrMake(program, root, console, "file", 0o600), bind);
  }
  return peer;
}

/** Makes the terminal the controlling one of the (new) session and the three standard streams. */
export function useTerminal(program: LaunchProgram, peer: Slot): void {
  const what = { operation: "take the terminal" };
  program.call("ioctl", [peer, TerminalRequest.TIOCSCTTY, 0], what);
  for (const stream of [0, 1, 2]) program.call("dup3", [peer, stream, 0], what);
  closeSlot(program, peer);
}
