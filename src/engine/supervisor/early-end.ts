/*
 * Theory of operation: containers that end before anybody needs their supervisor.
 *
 * A supervisor is Bun once more, and starting that costs more processor time than starting the container. Most containers
 * that somebody waits for in the foreground have ended by the time it is there. So the process that is to become the
 * supervisor first stays in the launch program, a few system calls of machine code, and waits for whatever comes first:
 *
 *   the container's end    it tells the command how the container has ended, waits until that has recorded it and shown
 *                          its output, reaps the container and is gone right after the command: no supervisor has ever
 *                          been there
 *   the command            wants the supervisor, by closing its end of a socket pair: the container has not ended in the
 *                          first milliseconds, a signal has come for it, or it has left output that has to be logged
 *   the command's death    closes that end, too
 *   another command        connects to the supervisor's socket, which the command has made and it inherits
 *   nothing                for so long that the command must have been stopped (Ctrl-Z, SIGSTOP)
 *
 * What it tells the command goes through a pipe whose reading end it has as well. So it can take its word back when the
 * command does not answer, and one of both has it: the command that has read it records the end and shows the output, and
 * one that finds nothing there when it goes on has a supervisor to talk with.
 *
 * In all cases but the first it executes the supervisor, which finds everything as if it had been started at once: the
 * command's messages wait in their socket, the container's output in its pipes, its end in the process table (it is not
 * reaped before it is recorded), connections in the queue of the listening socket. So a kill of anybody at any moment
 * leaves what it leaves without all this.
 *
 * That process is the last one with what takes long to free, so that nobody waits for it:
 *
 *   memory         It shares the command's until its end or exec (CLONE_VM), and the kernel frees memory with the last
 *                  process that has it: some milliseconds for Bun's.
 *   directories    A container of `--rm` is removed before the command says that the end is recorded. A directory is freed
 *                  when it is closed for the last time, and where the file system discards what it frees (mount option
 *                  `discard`) each one waits for the disk, 0.2 milliseconds and more. So the command leaves them open,
 *                  without names by then, and sends them with its last word, which stays in the socket unread.
 *   mounts         The kernel takes a container's mounts down when the last user of their namespace ends, and waits for all
 *                  processors several times meanwhile. So the command has the namespace open, if there is nothing of the
 *                  user's own in it that would be in use a moment longer, and sends it as well.
 *
 * It is for containers whose end is the end of all their processes, and which need nobody to copy what they read: those
 * with a pid namespace of their own, without a terminal and without input.
 */
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import type { SignalPipe } from "../../launch/signal-pipe.ts";
import { Errno } from "../../sys/errno.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { allocate } from "../../sys/memory.ts";
import { POLL_ENTRY_SIZE, poll } from "../../sys/poll.ts";
import { ChildInformation, CLD_EXITED, SIGNAL_INFORMATION_SIZE, WaitFor, WaitOption } from "../../sys/process.ts";
import { Pump } from "../../sys/pump.ts";
import { Event, Reactor } from "../../sys/reactor.ts";
import type { KeepOpen } from "../../sys/remove-tree.ts";
import { sendDescriptors } from "../../sys/socket.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { openNonBlocking } from "../attach/attachment.ts";
import type { LostOutput } from "../attach/lost-output.ts";
import type { Exit } from "./protocol.ts";

/** Milliseconds that a container has to end in; its first output may wait so long and for the supervisor's start. */
const PATIENCE = 20;

/** Milliseconds after which a command that has not been heard of is taken for stopped; well beyond `PATIENCE`. */
const COMMAND_PATIENCE = 500;

/** How many directories are kept until the end; the kernel lets at most 253 descriptors travel together. */
const MOST_REMOVED = 64;

const MSG_NOSIGNAL = 0x4000;
const MSG_PEEK = 2;
/** The second half of struct pollfd when nothing has happened: POLLIN is asked for, nothing is reported. */
const NOTHING_HAPPENED = Event.IN;
const LAST_DESCRIPTOR = 0xffff_ffff;

/** The descriptors of the process that may become the supervisor. */
export interface WaitingDescriptors {
  /** What it hands to the supervisor. */
  readonly kept: readonly number[];
  /** The socket that commands connect to, one of those. */
  readonly listener: number;
  /** Its end of the socket pair to the command, close-on-exec. */
  readonly command: number;
  /** Both ends of the pipe by which it tells the end; close-on-exec, the reading one non-blocking. */
  readonly told: { readonly read: number; readonly write: number };
}

/**
 * Emits the wait of the process that may become the supervisor; what is emitted next makes it that. It closes every other
 * descriptor: the container's pipes have to end with the container.
 * @param container the slot of the container's pid
 */
export function waitForEarlyEnd(
  program: LaunchProgram,
  container: Slot,
  { kept, listener, command, told }: WaitingDescriptors,
): void {
  program.keep();
  const what = { operation: "wait for an early end of the container" };
  const supervise = program.label("supervise");
  closeOthers(program, [...kept, command, told.read, told.write]);
  const end = program.slot("end of the container");
  program.call("pidfd_open", [container, 0], what, { result: end });
  const entries = program.reserve(3 * POLL_ENTRY_SIZE);
  const endEntry = 0;
  const commandEntry = POLL_ENTRY_SIZE;
  const listenerEntry = 2 * POLL_ENTRY_SIZE;
  entries.view.setInt32(commandEntry, command, true);
  entries.view.setInt32(listenerEntry, listener, true);
  for (const entry of [endEntry, commandEntry, listenerEntry]) entries.view.setInt16(entry + 4, Event.IN, true);
  program.store32(end, entries.address, endEntry);
  const happened = program.slot("what has happened");
  const count = program.slot("on how many descriptors");
  const time = program.reserve(2 * 8);
  const wait = (isLimited: boolean) => {
    if (isLimited) {
      program.store64(0, time.address);
      program.store64(COMMAND_PATIENCE * 1e6, time.address, 8);
    }
    const again = program.label("wait");
    program.place(again);
    program.call("ppoll", [entries.address, 3, isLimited ? time.address : 0, 0, 8], what, {
      result: count,
      ignore: [Errno.EINTR],
      onIgnored: again,
    });
  };

  wait(true);
  program.branch(count, "equal", 0, supervise);
  for (const entry of [commandEntry, listenerEntry]) {
    program.load32(happened, entries.address, entry + 4);
    program.branch(happened, "not equal", NOTHING_HAPPENED, supervise);
  }
  const information = program.reserve(SIGNAL_INFORMATION_SIZE);
  const { WEXITED, WNOWAIT, ALL } = WaitOption;
  program.call("waitid", [WaitFor.PID, container, information.address, WEXITED | WNOWAIT | ALL, 0], what);
  program.call("write", [told.write, information.address, SIGNAL_INFORMATION_SIZE], what);
  program.store32(-1, entries.address, endEntry);

  const heard = program.label("heard");
  const answered = program.label("answered");
  wait(true);
  program.load32(happened, entries.address, commandEntry + 4);
  program.branch(happened, "not equal", NOTHING_HAPPENED, answered);
  program.call("read", [told.read, information.address, SIGNAL_INFORMATION_SIZE], what, {
    ignore: "any",
    onIgnored: heard,
  });
  program.branch(0, "equal", 0, supervise);
  program.place(heard);
  // For another command; else this one is recording the end.
  program.branch(count, "not equal", 0, supervise);
  wait(false);
  program.load32(happened, entries.address, commandEntry + 4);
  program.branch(happened, "equal", NOTHING_HAPPENED, supervise);
  program.place(answered);
  const isRecorded = program.slot("whether the end is recorded");
  // The word stays where it is, with the directories that it brings.
  program.call("recvfrom", [command, information.address, 1, MSG_PEEK, 0, 0], what, {
    result: isRecorded,
    ignore: "any",
    onIgnored: supervise,
  });
  program.branch(isRecorded, "not equal", 1, supervise);
  program.call("waitid", [WaitFor.PID, container, 0, WEXITED | ALL, 0], what, { ignore: "any" });
  // Until the command's end of the socket is closed, which it is at the command's end.
  program.store32(0, entries.address, commandEntry + 4);
  program.call("ppoll", [entries.address + commandEntry, 1, 0, 0, 8], what, { ignore: [Errno.EINTR] });
  program.call("exit_group", [0], what);
  program.place(supervise);
}

function closeOthers(program: LaunchProgram, kept: readonly number[]): void {
  const what = { operation: "close descriptors" };
  let first = 3;
  for (const descriptor of kept.toSorted((one, other) => one - other)) {
    if (descriptor > first) program.call("close_range", [first, descriptor - 1, 0], what);
    first = descriptor + 1;
  }
  program.call("close_range", [first, LAST_DESCRIPTOR, 0], what);
}

/** The command's side of the wait. */
export interface EarlyWatch extends Disposable {
  /** To the process that may become the supervisor. */
  readonly socket: FileDescriptor;
  /** Where that tells the end; non-blocking, and ended when it has become the supervisor. */
  readonly told: FileDescriptor;
  /** The container's outputs, non-blocking. */
  readonly output: FileDescriptor;
  readonly error: FileDescriptor;
  /** Whether there is a log that lacks what they hold. */
  readonly isLogged: boolean;
  /** What of the container is left to that process to be freed: what was removed and is open, and its mounts. */
  readonly left: FileDescriptor[];
}

/**
 * Waits for an early end.
 * @param signals those that are the container's
 * @returns how the container has ended, which is then to be recorded, or undefined when it has its supervisor instead
 */
export function awaitEarlyEnd(watch: EarlyWatch, signals: SignalPipe | undefined): Exit | undefined {
  const { told, output, error, isLogged } = watch;
  const end = awaitEnd(told, signals);
  const isKnown = end !== undefined && (!isLogged || (isExhausted(output) && isExhausted(error)));
  if (!isKnown) {
    // First the outputs, so that the supervisor has them alone.
    watch[Symbol.dispose]();
    return undefined;
  }
  return end;
}

/**
 * Copies what the container has left in its outputs to this command's own, which may wait for whoever reads those.
 * @param wanted which of them the user wants
 * @param lost is told of what could not be written
 */
export function copyOutputs(
  { output, error }: EarlyWatch,
  wanted: { readonly output: boolean; readonly error: boolean },
  lost: LostOutput,
): void {
  copyRest(
    [
      ...(wanted.output ? [{ stream: "output", source: output, destination: 1 } as const] : []),
      ...(wanted.error ? [{ stream: "error", source: error, destination: 2 } as const] : []),
    ],
    lost,
  );
}

/** Keeps directories that are removed for whoever is dismissed then. */
export function keepRemoved({ left }: EarlyWatch): KeepOpen {
  return (directory) => {
    if (left.length < MOST_REMOVED) left.push(directory);
    else directory.close();
  };
}

/** Lets the process that has waited for it reap the container, and free what is left of it. */
export function dismissSupervisor({ socket, left }: EarlyWatch): void {
  if (left.length === 0 || !handOver(socket, left)) {
    const byte = allocate(1);
    systemCall(SystemCall.sendto, socket.number, byte.address, 1, MSG_NOSIGNAL, 0, 0);
  }
  // It is closed with this process.
  socket.release();
}

function handOver(socket: FileDescriptor, left: readonly FileDescriptor[]): boolean {
  try {
    sendDescriptors(
      socket.number,
      Buffer.alloc(1),
      left.map(({ number }) => number),
    );
    return true;
  } catch {
    // Whoever waited was killed, or the user has too many descriptors on their way. Then they are freed here.
    return false;
  }
}

function awaitEnd(told: FileDescriptor, signals: SignalPipe | undefined): Exit | undefined {
  const descriptors = signals === undefined ? [told.number] : [told.number, signals.descriptor];
  const [answer, signal = 0] = poll(descriptors, PATIENCE);
  // A signal is left where it is, for whoever is attached next to pass on.
  return answer === 0 || signal !== 0 ? undefined : receiveEnd(told);
}

function receiveEnd(told: FileDescriptor): Exit | undefined {
  const { address, view } = allocate(SIGNAL_INFORMATION_SIZE);
  const count = systemCall(SystemCall.read, told.number, address, SIGNAL_INFORMATION_SIZE);
  if (count !== SIGNAL_INFORMATION_SIZE) return undefined;
  const status = view.getInt32(ChildInformation.status, true);
  return {
    kind: "exit",
    exitStatus: view.getInt32(ChildInformation.code, true) === CLD_EXITED ? status : 128 + status,
    isStopped: false,
    isRestart: false,
    isShutDown: false,
    lostBytes: 0,
    lostErrno: undefined,
  };
}

/** Whether a pipe is empty and nobody can write to it any more. */
function isExhausted({ number }: FileDescriptor): boolean {
  return poll([number], 0)[0] === Event.HUP;
}

interface Copy {
  readonly stream: "output" | "error";
  readonly source: FileDescriptor;
  readonly destination: number;
}

function copyRest(copies: readonly Copy[], lost: LostOutput): void {
  const left = copies.filter(({ source }) => !isExhausted(source));
  if (left.length === 0) return;
  using cleanup = new DisposableStack();
  const reactor = cleanup.use(new Reactor());
  for (const { stream, source, destination } of left) {
    const own = cleanup.use(openNonBlocking(destination, "w").descriptor);
    new Pump(reactor, { source: source.number, destination: own.number }, ({ destinationError }) =>
      lost.note(stream, destinationError),
    );
  }
  reactor.run();
}
