/*
 * The runtime's half of the talk with a launch program that makes a process of a container; container-program.ts says
 * what is said when. Each side learns of the other's death by the socket's end, and the reason comes through the error
 * descriptor.
 */
import { type ObservedProcess, readFailure } from "../launch/launch.ts";
import type { Slot } from "../launch/operation.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { allocate, type Memory } from "../sys/memory.ts";
import { waitForExit } from "../sys/process.ts";
import { endsWithin } from "../sys/process-identity.ts";
import { openProcess } from "../sys/reactor.ts";
import { Signal } from "../sys/signal.ts";
import { check, SystemCall, systemCall } from "../sys/system-call.ts";

/** Between two looks whether something is noted that is noted in a moment. */
export const NOTING_SECONDS = 0.0002;

/** The parties: the child that was launched, its program, and the runtime's end of their socket pair. */
export interface Conversation {
  readonly child: ObservedProcess;
  readonly program: LaunchProgram;
  readonly socket: FileDescriptor;
}

let byteMemory: Memory | undefined;

/**
 * Waits for the program's byte.
 * @throws BunkerError: what the program failed with instead
 */
export function expectByte(conversation: Conversation): void {
  const result = passByte(SystemCall.read, conversation.socket);
  if (result === 1) return;
  // Reset: it has ended before it has read our last byte.
  if (result !== -Errno.ECONNRESET) check(result, "hear of the launch program");
  throw failureOf(conversation);
}

function passByte(call: number, socket: FileDescriptor): number {
  byteMemory ??= allocate(8);
  for (;;) {
    const result = systemCall(call, socket.number, byteMemory.address, 1);
    if (result !== -Errno.EINTR) return result;
  }
}

/**
 * Lets the program go on.
 * @throws BunkerError: what the program failed with
 */
export function sendByte(conversation: Conversation): void {
  if (passByte(SystemCall.write, conversation.socket) !== 1) throw failureOf(conversation);
}

/** What the program failed with, after it closed the socket. */
export function failureOf({ child, program }: Conversation): BunkerError {
  return (
    readFailure(child, program) ??
    new BunkerError({
      code: "launch_lost",
      operation: "create the container's process",
      reason: "it was killed before it could say why",
    })
  );
}

/**
 * Waits for the process in between to leave, and takes over the one that it has cloned.
 * @param successor the slot with the clone's pid
 * @param between a process in between that is the supervisor's child and not ours
 */
export function awaitSuccessor(
  conversation: Conversation,
  successor: Slot,
  between?: { readonly pidfd: FileDescriptor },
): { pid: number; pidfd: FileDescriptor } {
  let hasFailed = false;
  if (between === undefined) {
    const end = waitForExit(conversation.child.pid);
    hasFailed = !("exitCode" in end) || end.exitCode !== 0;
  } else {
    while (!endsWithin(between.pidfd, 60));
  }
  const pid = conversation.program.read(successor);
  if (hasFailed || pid === 0) throw failureOf(conversation);
  const pidfd = openProcess(pid);
  between?.pidfd.close();
  return { pid, pidfd };
}

/**
 * Waits until the launched process has cloned the container's and becomes its supervisor.
 * @param first the slot with the clone's pid; it is the supervisor's to reap, who does not do that before we say so
 */
export function awaitFirst(conversation: Conversation, first: Slot): { pid: number; pidfd: FileDescriptor } {
  expectByte(conversation);
  const { child, program } = conversation;
  // One that waits for no id maps may have said its next word before the launched process has noted its pid; the words are
  // alike, so it is enough that as many are heard as are said.
  while (program.read(first) === 0) {
    if (endsWithin(child.pidfd, NOTING_SECONDS) && program.read(first) === 0) throw failureOf(conversation);
  }
  const pid = program.read(first);
  return { pid, pidfd: openProcess(pid) };
}

/**
 * Kills and reaps whatever there is of a process that could not be created.
 * @param stayingParent the launched process if it is to reap the container's: let go, it ends by itself
 */
export function abandon(
  child: ObservedProcess,
  container: { readonly pid: number; readonly pidfd: FileDescriptor },
  stayingParent?: Disposable,
): void {
  for (const one of new Set([container, child])) {
    if (one === child && stayingParent !== undefined) stayingParent[Symbol.dispose]();
    else systemCall(SystemCall.pidfd_send_signal, one.pidfd.number, Signal.SIGKILL, 0, 0);
    try {
      waitForExit(one.pid);
    } catch {
      // Reaped already: the process in between.
    }
    one.pidfd.close();
  }
  child.errors.close();
}
