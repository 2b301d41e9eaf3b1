/*
 * A terminal in raw mode that is put back even if the process that did it is killed with SIGKILL.
 *
 * The guard is a program file of a few hundred bytes, without libc and with a single page of memory of its own. It holds
 * the terminal and the read end of a pipe whose write end only the guarded process has, and waits there. A byte says
 * that all is well, and the guard leaves; the end of the file says that the process is gone, and the guard first writes
 * the attributes found back. It has a session of its own, so that no signal for the process's group reaches it.
 */

import { type Architecture, hostArchitecture } from "../sys/architecture.ts";
import { nodeFileSystem } from "../sys/node-modules.ts";
import { AT_EMPTY_PATH } from "../sys/open.ts";
import { waitForExit } from "../sys/process.ts";
import { sealedMemoryFile } from "../sys/sealed-memory-file.ts";
import { SIG_SETMASK, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { pipe } from "../sys/socket.ts";
import { makeRaw, readAttributes, TerminalRequest } from "../sys/terminal.ts";
import { launch, readFailure } from "./launch.ts";
import { OperationTable } from "./operation-table.ts";
import { LaunchProgram } from "./program.ts";
import { encodeProgramFile, VARIABLES_ADDRESS, VARIABLES_BUFFER_ADDRESS } from "./program-file.ts";

const TERMINAL = 0;
const PIPE = 1;
const PROGRAM_SIZE = 16384;

/**
 * The guard as an ELF file.
 * @param attributes struct termios of the kernel, a multiple of 4 bytes
 */
export function terminalGuard(architecture: Architecture, attributes: Buffer): Uint8Array {
  const table = new OperationTable(VARIABLES_ADDRESS);
  const stack = table.slot("initial stack");
  const allSignals = table.slot("all signals");
  const count = table.slot("count");
  const leave = table.label("leave");
  const what = { operation: "guard the terminal" };
  const byte = VARIABLES_BUFFER_ADDRESS + attributes.length;
  table.set(allSignals, -1);
  table.call("rt_sigprocmask", [SIG_SETMASK, table.addressOf(allSignals), 0, SIGNAL_SET_SIZE], what);
  for (let offset = 0; offset < attributes.length; offset += 4) {
    table.store32(attributes.readInt32LE(offset), VARIABLES_BUFFER_ADDRESS + offset);
  }
  table.call("read", [PIPE, byte, 1], what, { result: count });
  table.branch(count, "equal", 1, leave);
  table.call("ioctl", [TERMINAL, TerminalRequest.TCSETS, VARIABLES_BUFFER_ADDRESS], what, { ignore: "any" });
  table.place(leave);
  table.call("exit_group", [0], what);
  return encodeProgramFile(architecture, table, stack, "compact");
}

function dismiss(pipe: number): void {
  try {
    nodeFileSystem().writeSync(pipe, ".");
  } catch {
    // Somebody has killed the guard, and the terminal is as it was all the same.
  }
}

/**
 * Puts a terminal into raw mode, under guard.
 * @returns a function that puts back the attributes found and dismisses the guard
 * @throws BunkerError when the descriptor is no terminal
 */
export function makeRawGuarded(descriptor: number): () => void {
  using file = sealedMemoryFile("terminal-guard", terminalGuard(hostArchitecture(), readAttributes(descriptor)));
  using program = new LaunchProgram(PROGRAM_SIZE);
  const [readEnd, writeEnd] = pipe();
  const what = { operation: "start the terminal's guard" };
  // The guard does so itself, too, but a signal may come before its first instruction.
  const allSignals = program.bytes(Buffer.from(new ArrayBuffer(SIGNAL_SET_SIZE)).fill(0xff));
  program.call("rt_sigprocmask", [SIG_SETMASK, allSignals, 0, SIGNAL_SET_SIZE], what);
  program.call("setsid", [], what);
  program.call("dup3", [readEnd.number, PIPE, 0], what);
  if (descriptor !== TERMINAL) program.call("dup3", [descriptor, TERMINAL, 0], what);
  program.call(
    "execveat",
    [file.number, program.text(""), program.texts(["bunker-terminal-guard"]), program.texts([]), AT_EMPTY_PATH],
    what,
  );
  program.call("exit_group", [1], what);
  const guard = launch(program, { flags: 0 });
  readEnd.close();
  guard.pidfd.close();
  const failure = readFailure(guard, program);
  guard.errors.close();
  if (failure !== undefined) {
    waitForExit(guard.pid);
    throw failure;
  }
  const restore = makeRaw(descriptor);
  return () => {
    restore();
    dismiss(writeEnd.number);
    writeEnd.close();
    waitForExit(guard.pid);
  };
}
