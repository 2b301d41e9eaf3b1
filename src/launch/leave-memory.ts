/*
 * A command's end without waiting for its memory.
 *
 * Freeing what Bun has touched takes the kernel some milliseconds, and whoever waits for the command waits for that. The
 * kernel frees memory with the last process that has it. So a child is made that shares it (CLONE_VM), does nothing, and
 * ends when the command has ended. It has none of the command's descriptors but the one by which it learns of that: nobody
 * who reads the command's output waits for it. It is reaped by whoever reaps orphans; a container whose first process does
 * not keeps it as a zombie.
 */
import { CloneFlag } from "../sys/clone.ts";
import { pipe } from "../sys/socket.ts";
import { launchReportingTo } from "./launch.ts";
import { LaunchProgram } from "./program.ts";

const ARENA_SIZE = 4096;
const LAST_DESCRIPTOR = 0xffff_ffff;

/**
 * Leaves this process's memory to a child, where one can be made. To be called as late as can be: what is done afterwards
 * is done with memory that two processors may use.
 */
export function leaveMemory(): void {
  try {
    launchHolder();
  } catch {
    // Without a child, with no room for a process or descriptor, this process frees its memory itself.
  }
}

function launchHolder(): void {
  const what = { operation: "wait for the command's end" };
  const [end, held] = pipe();
  using _end = end;
  using _held = held;
  const program = new LaunchProgram(ARENA_SIZE);
  program.keep();
  const byte = program.reserve(1);
  program.call("close_range", [0, end.number - 1, 0], what);
  program.call("close_range", [end.number + 1, LAST_DESCRIPTOR, 0], what);
  program.call("read", [end.number, byte.address, 1], what, { ignore: "any" });
  program.call("exit_group", [0], what);
  launchReportingTo(held.number, program, { flags: CloneFlag.VM }).pidfd.close();
  // It is closed with this process.
  held.release();
}
