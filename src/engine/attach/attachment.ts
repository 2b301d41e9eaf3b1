/*
 * A foreground container and the terminal, or the files and pipes, of whoever started it.
 *
 * Without a terminal of its own the container gets pipes, never our descriptors: it could change modes and offsets of
 * what they stand for, or type into our terminal. With one (`-t`), our terminal is put into raw mode, so that Ctrl-C and
 * Ctrl-Z are bytes that the container's terminal makes signals of, and window sizes are passed on. All other signals
 * that we get go to the container. Whatever happens, the terminal is put back.
 */

import { ReapedChild } from "../../launch/reaped-child.ts";
import { SignalPipe } from "../../launch/signal-pipe.ts";
import type { LaunchedContainer } from "../../runtime/launched-container.ts";
import type { Orphans } from "../../runtime/orphans.ts";
import { setBlocking } from "../../sys/blocking.ts";
import { duplicate } from "../../sys/duplicate.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { openFile } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { type ProcessEnd, waitForExit } from "../../sys/process.ts";
import { Pump, type PumpEnd } from "../../sys/pump.ts";
import { Event, Reactor } from "../../sys/reactor.ts";
import { Signal } from "../../sys/signal.ts";
import { pipe } from "../../sys/socket.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { isTerminal, setWindowSize, windowSize } from "../../sys/terminal.ts";
import { detachKeyFilter } from "./detach-keys.ts";
import type { LostOutput } from "./lost-output.ts";

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;

/** The real-time signals that programs may use. */
const REAL_TIME_SIGNALS: number[] = [];
for (let signal = 34; signal <= 64; signal++) REAL_TIME_SIGNALS.push(signal);

/** Signals that are passed on: not those that stop or kill us in any case, that report on ourselves, or that Bun uses. */
const FORWARDED: readonly number[] = [
  Signal.SIGHUP,
  Signal.SIGINT,
  Signal.SIGQUIT,
  Signal.SIGUSR1,
  Signal.SIGUSR2,
  Signal.SIGALRM,
  Signal.SIGTERM,
  Signal.SIGSTKFLT,
  Signal.SIGCONT,
  Signal.SIGTSTP,
  Signal.SIGXCPU,
  Signal.SIGVTALRM,
  Signal.SIGPROF,
  Signal.SIGIO,
  ...REAL_TIME_SIGNALS,
];

/** The ends of a container's standard streams: `inner` go into the container, `outer` stay here. */
export interface Streams {
  readonly inner: readonly [FileDescriptor, FileDescriptor, FileDescriptor];
  readonly outer: {
    /** undefined when the container's input is empty. */
    readonly input: FileDescriptor | undefined;
    readonly output: FileDescriptor;
    readonly error: FileDescriptor;
  };
}

/** Makes the pipes of a container without a terminal. */
export function makeStreams(interactive: boolean): Streams {
  const [outputOuter, outputInner] = pipe();
  const [errorOuter, errorInner] = pipe();
  for (const end of [outputOuter, errorOuter]) setBlocking(end.number, false);
  if (!interactive) {
    const nothing = openFile("/dev/null", OpenFlag.O_RDONLY);
    return {
      inner: [nothing, outputInner, errorInner],
      outer: { input: undefined, output: outputOuter, error: errorOuter },
    };
  }
  const [inputInner, inputOuter] = pipe();
  setBlocking(inputOuter.number, false);
  return {
    inner: [inputInner, outputInner, errorInner],
    outer: { input: inputOuter, output: outputOuter, error: errorOuter },
  };
}

/** One of our streams for a pump. */
interface OwnStream {
  readonly descriptor: FileDescriptor;
  /** Whether reading and writing wait. */
  readonly mayBlock: boolean;
}

/**
 * A descriptor for the same pipe or terminal as one of ours that does not block. Ours itself is shared with the
 * processes that we have it from, which would be surprised. What cannot be opened anew (a socket, a terminal of another
 * user) or would get another offset (a file) is taken as it is.
 */
export function openNonBlocking(descriptor: number, flags: "r" | "w"): OwnStream {
  const status = systemCall(SystemCall.lseek, descriptor, 0, 1);
  if (status === -Errno.ESPIPE || isTerminal(descriptor)) {
    try {
      const mode = flags === "r" ? OpenFlag.O_RDONLY : OpenFlag.O_WRONLY;
      const opened = openFile(`/proc/self/fd/${descriptor}`, mode | OpenFlag.O_NONBLOCK | OpenFlag.O_NOCTTY);
      return { descriptor: opened, mayBlock: false };
    } catch {
      // Taken as it is.
    }
  }
  return { descriptor: duplicate(descriptor), mayBlock: true };
}

/**
 * @param remedy what to do for who has no terminal
 * @throws BunkerError, with Docker's words and status, for `-it` without a terminal
 */
export function checkTerminal(
  options: { readonly interactive: boolean; readonly terminal: boolean },
  remedy = "leave -t out, or start from a terminal",
): void {
  if (!options.interactive || !options.terminal || isTerminal(STANDARD_INPUT)) return;
  throw new BunkerError({
    code: "no_terminal",
    operation: "attach to the container",
    reason: "the input device is not a TTY",
    hint: remedy,
    exitStatus: 1,
  });
}

/** The size of the terminal that a container's is to have. */
export function terminalSize(): { readonly height: number; readonly width: number } | undefined {
  const size = windowSize(STANDARD_OUTPUT) ?? windowSize(STANDARD_INPUT);
  return size === undefined ? undefined : { height: size.rows, width: size.columns };
}

/**
 * Puts our terminal into raw mode.
 * @returns a function that puts it back
 */
export async function makeInputRaw(): Promise<() => void> {
  const { makeRawGuarded } = await import("../../launch/terminal-guard.ts");
  return makeRawGuarded(STANDARD_INPUT);
}

/** How an attachment ended: with the process, or by the detach keys. */
export type AttachmentEnd = ProcessEnd | "detached";

/** Like `attachDetachably`, without keys to detach by. */
export async function attach(
  container: LaunchedContainer,
  signals: SignalPipe,
  streams: Streams | undefined,
  options: Omit<Parameters<typeof attachDetachably>[3], "detachKeys" | "isLeftOnHangup">,
): Promise<ProcessEnd> {
  const end = await attachDetachably(container, signals, streams, {
    ...options,
    detachKeys: new Uint8Array(),
    isLeftOnHangup: false,
  });
  return end === "detached" ? waitForExit(container.pid) : end;
}

/**
 * Copies the streams, forwards signals and waits for the container to end and its output to be written.
 * @param streams the pipes, or undefined for a container with a terminal
 * @param whole whether the container's end means that nobody can write any more: it has a pid namespace of its own
 * @param isFurther whether it is another process than a container's first, which must not hold up the end of that while
 * this command is stopped; launch/reaped-child.ts
 * @param orphans what the container leaves behind, to be reaped when it ends meanwhile
 * @param detachKeys the keys that end the attachment when they are typed into a terminal; empty for none
 */
export async function attachDetachably(
  container: LaunchedContainer,
  signals: SignalPipe,
  streams: Streams | undefined,
  options: {
    readonly interactive: boolean;
    readonly whole: boolean;
    readonly isFurther: boolean;
    readonly orphans?: Orphans | undefined;
    readonly detachKeys: Uint8Array;
    /** Whether a container's terminal is left, too, when our own has gone, which SIGHUP says. */
    readonly isLeftOnHangup: boolean;
    /** Is told of what of the output could not be written. */
    readonly lost: LostOutput;
  },
): Promise<AttachmentEnd> {
  using cleanup = new DisposableStack();
  const reactor = cleanup.use(new Reactor());
  const outputs = new Set<Pump>();
  let ended = false;
  let isDetached = false;
  let input: Pump | undefined;
  const finishIfDone = () => {
    if (ended && outputs.size === 0) reactor.stop();
  };
  const { terminal } = container;
  const leave = () => {
    isDetached = true;
    reactor.stop();
  };
  const copyOut = (source: FileDescriptor, stream: "output" | "error") => {
    const to = stream === "output" ? STANDARD_OUTPUT : STANDARD_ERROR;
    const destination = cleanup.use(openNonBlocking(to, "w").descriptor);
    const pump: Pump = new Pump(reactor, { source: source.number, destination: destination.number }, (end: PumpEnd) => {
      outputs.delete(pump);
      options.lost.note(stream, end.destinationError);
      // Nobody reads our output any more: the container's writes shall fail as ours have.
      if (end.destinationError !== undefined && source !== terminal) source.close();
      finishIfDone();
    });
    outputs.add(pump);
  };
  const copyIn = (destination: FileDescriptor) => {
    const { descriptor, mayBlock } = openNonBlocking(STANDARD_INPUT, "r");
    const source = cleanup.use(descriptor);
    const isTyped = terminal !== undefined && options.detachKeys.length > 0 && isTerminal(STANDARD_INPUT);
    input = new Pump(
      reactor,
      { source: source.number, destination: destination.number, mayBlock },
      ({ isEndedByFilter = false }) => {
        // The container sees the end of its input.
        if (streams !== undefined) destination.close();
        if (isEndedByFilter) leave();
      },
      isTyped ? detachKeyFilter(options.detachKeys) : undefined,
    );
  };

  if (terminal !== undefined) {
    setBlocking(terminal.number, false);
    copyOut(terminal, "output");
    if (options.interactive) {
      // Its own descriptor, because the reactor knows each only in one role.
      copyIn(cleanup.use(duplicate(terminal.number)));
      if (isTerminal(STANDARD_INPUT)) cleanup.defer(await makeInputRaw());
    }
  } else if (streams !== undefined) {
    copyOut(streams.outer.output, "output");
    copyOut(streams.outer.error, "error");
    if (streams.outer.input !== undefined) copyIn(streams.outer.input);
  }

  // After the terminal's guard was started, which is a child as well and is waited for when this has been disposed.
  const child = options.isFurther ? cleanup.use(new ReapedChild(signals, container.pid)) : undefined;
  const endOfProcess = () => (child === undefined ? waitForExit(container.pid) : child.end());
  const resize = () => {
    const size = windowSize(STANDARD_OUTPUT) ?? windowSize(STANDARD_INPUT);
    if (terminal !== undefined && size !== undefined) setWindowSize(terminal.number, size);
  };
  reactor.add(signals.descriptor, Event.IN, () => {
    for (let signal = signals.next(); signal !== undefined; signal = signals.next()) {
      if (signal === Signal.SIGWINCH) resize();
      else if (signal === Signal.SIGCHLD) child?.note();
      else if (signal === Signal.SIGHUP && terminal !== undefined && options.isLeftOnHangup) leave();
      else systemCall(SystemCall.pidfd_send_signal, container.pidfd.number, signal, 0, 0);
    }
  });
  options.orphans?.watch(reactor, container.pid);
  let end: ProcessEnd | undefined;
  reactor.add(container.pidfd.number, Event.IN, () => {
    reactor.remove(container.pidfd.number);
    end = endOfProcess();
    ended = true;
    input?.stop();
    if (!options.whole) for (const pump of [...outputs]) pump.finish();
    if (!options.whole) outputs.clear();
    finishIfDone();
  });
  reactor.run();
  if (isDetached && end === undefined) return "detached";
  return end ?? endOfProcess();
}

/**
 * Starts receiving the signals that `attach` passes on; to be called before there is a container.
 * @param isForwarding whether they are; else they do to this process what they do to any, but that a terminal's new size
 * is passed on
 */
export function receiveSignals(isForwarding = true): SignalPipe {
  return new SignalPipe([...(isForwarding ? FORWARDED : []), Signal.SIGWINCH]);
}
