/*
 * A command's end without waiting for its memory.
 *
 * Freeing what Bun has touched takes the kernel some milliseconds, and whoever waits for the command waits for that. The
 * kernel frees memory with the last process that has it. So a child is made that shares it (CLONE_VM), does nothing, and
 * ends when the command has ended.
 *
 * The child consists of a few system calls, made by machine code (memory-holder/) that touches neither the stack, which
 * is the running parent's, nor anything of libc. It closes all descriptors and leaves the directory: nobody who reads the
 * command's output waits for it, and no file system is kept busy by it. Then it has the kernel kill it when its parent
 * ends, looks whether that has happened already, and waits. Signals have their default actions in it, because the
 * command's handlers would run in the command's memory. It is reaped by whoever reaps orphans; a container whose first
 * process does not keeps it as a zombie.
 */
import { hostArchitecture } from "../sys/architecture.ts";
import { CloneFlag } from "../sys/clone.ts";
import { machineFunction } from "../sys/machine-code.ts";
import { allocate } from "../sys/memory.ts";
import { CLONE_ARGUMENTS_SIZE } from "./memory-holder/clone-arguments-size.ts";
import { memoryHolders } from "./memory-holder/memory-holders.ts" with { type: "macro" };

const holders = memoryHolders();

/** CLONE_CLEAR_SIGHAND, in the high word of the flags. */
const CLEAR_SIGNAL_HANDLERS = 1;
/** The path of the root directory, with a zero behind it. */
const ROOT_DIRECTORY_SIZE = 2;
const SLASH = 0x2f;

/**
 * Leaves this process's memory to a child, where one can be made. To be called as late as can be: what is done afterwards
 * is done with memory that two processors may use.
 */
export function leaveMemory(): void {
  try {
    const { address, bytes, view } = allocate(CLONE_ARGUMENTS_SIZE + ROOT_DIRECTORY_SIZE);
    view.setUint32(0, CloneFlag.VM, true);
    view.setUint32(4, CLEAR_SIGNAL_HANDLERS, true);
    bytes[CLONE_ARGUMENTS_SIZE] = SLASH;
    machineFunction(holders[hostArchitecture()])(address, CLONE_ARGUMENTS_SIZE);
  } catch {
    // Without a child, with no room for one or for its code, this process frees its memory itself.
  }
}
