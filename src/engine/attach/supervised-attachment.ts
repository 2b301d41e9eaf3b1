/*
 * A command that is attached to a container through its supervisor.
 *
 * For each stream there is a pipe between the two: the supervisor has one end by the message that asks for the
 * attachment, this command copies between the other and its own stream, mostly without touching the bytes. The end of a
 * pipe is the end of the stream. Signals, window sizes and the exit status go through the socket.
 *
 * With a terminal of the container's, this command's own is put into raw mode, and what is typed is searched for the
 * detach keys: then this command ends, and the container goes on. So it does when this command's terminal has gone, which
 * SIGHUP says: as with Docker the container's is still there for whoever attaches next.
 */
import type { SignalPipe } from "../../launch/signal-pipe.ts";
import { setBlocking } from "../../sys/blocking.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { receiveMessage } from "../../sys/message-socket.ts";
import { Pump } from "../../sys/pump.ts";
import { Event, Reactor } from "../../sys/reactor.ts";
import { Signal } from "../../sys/signal.ts";
import { pipe } from "../../sys/socket.ts";
import { isTerminal, windowSize } from "../../sys/terminal.ts";
import { tell } from "../supervisor/connect.ts";
import { type Exit, parseAnswer } from "../supervisor/parse-answer.ts";
import type { SupervisorLoss } from "../supervisor/supervisor-loss.ts";
import { makeInputRaw, openNonBlocking } from "./attachment.ts";
import { detachKeyFilter } from "./detach-keys.ts";
import { LostOutput } from "./lost-output.ts";

/** What a command wants of a container's streams. */
export interface AttachmentOptions {
  readonly input: boolean;
  readonly output: boolean;
  readonly error: boolean;
  /** Whether the container has a terminal, which is one stream for both outputs. */
  readonly terminal: boolean;
  /** The bytes that end the attachment; empty for none. */
  readonly detachKeys: Uint8Array;
  /** The signals that are passed on. */
  readonly signals: SignalPipe;
}

/** This command's ends of the pipes. */
export interface AttachedStreams {
  readonly input: FileDescriptor | undefined;
  readonly output: FileDescriptor | undefined;
  readonly error: FileDescriptor | undefined;
}

/** How an attachment ended: with the container, by the detach keys, or by the supervisor's death. */
export type AttachmentEnd = Exit | { readonly kind: "detached" } | SupervisorLoss;

const STANDARD = { input: 0, output: 1, error: 2 } as const;

/** Makes the pipes and asks the supervisor to attach them. */
export function requestAttachment(socket: FileDescriptor, options: AttachmentOptions): AttachedStreams {
  const [inputTheirs, input] = options.input ? pipe() : [];
  const [output, outputTheirs] = options.output ? pipe() : [];
  const [error, errorTheirs] = options.error && !options.terminal ? pipe() : [];
  const theirs = [
    ["i", inputTheirs],
    ["o", outputTheirs],
    ["e", errorTheirs],
  ] as const;
  const passed = theirs.flatMap(([letter, end]) => (end === undefined ? [] : [{ letter, end }]));
  tell(
    socket,
    { kind: "attach", streams: passed.map(({ letter }) => letter).join("") },
    passed.map(({ end }) => end.number),
  );
  for (const { end } of passed) end.close();
  for (const end of [input, output, error]) if (end !== undefined) setBlocking(end.number, false);
  return { input, output, error };
}

/**
 * Copies the streams until the container ends or somebody types the detach keys.
 * @param onExit told at once how the container has ended; whoever reads its outputs may take long over the rest of them
 * @throws BunkerError `output_lost` when it has ended, and its output could not be written
 */
export async function stayAttached(
  socket: FileDescriptor,
  streams: AttachedStreams,
  options: AttachmentOptions,
  onExit: (exit: Exit) => void = () => {},
): Promise<AttachmentEnd> {
  using cleanup = new DisposableStack();
  const reactor = cleanup.use(new Reactor());
  const outputs = new Set<Pump>();
  let end: AttachmentEnd | undefined;
  let failure: string | undefined;
  const lost = new LostOutput();
  const stopIfDone = () => {
    if (end !== undefined && (end.kind === "detached" || outputs.size === 0)) reactor.stop();
  };
  for (const [stream, letter] of [
    ["output", "o"],
    ["error", "e"],
  ] as const) {
    const source = streams[stream];
    if (source === undefined) continue;
    cleanup.use(source);
    const destination = cleanup.use(openNonBlocking(STANDARD[stream], "w").descriptor);
    const pump: Pump = new Pump(
      reactor,
      { source: source.number, destination: destination.number },
      ({ destinationError }) => {
        outputs.delete(pump);
        lost.note(stream, destinationError);
        if (destinationError !== undefined) {
          // Nobody reads our output any more: the container's writes shall fail as ours have.
          source.close();
          if (!options.terminal) tell(socket, { kind: "close", stream: letter });
        }
        stopIfDone();
      },
    );
    outputs.add(pump);
  }
  const { input } = streams;
  if (input !== undefined) {
    cleanup.use(input);
    const { descriptor, mayBlock } = openNonBlocking(STANDARD.input, "r");
    const source = cleanup.use(descriptor);
    const isTyped = options.terminal && isTerminal(STANDARD.input);
    const pump = new Pump(
      reactor,
      { source: source.number, destination: input.number, mayBlock },
      ({ isEndedByFilter = false }) => {
        if (isEndedByFilter) {
          end = { kind: "detached" };
          stopIfDone();
        } else input.close();
      },
      isTyped && options.detachKeys.length > 0 ? detachKeyFilter(options.detachKeys) : undefined,
    );
    cleanup.defer(() => pump.stop());
    if (isTyped) cleanup.defer(await makeInputRaw());
  }
  const { signals } = options;
  reactor.add(signals.descriptor, Event.IN, () => {
    for (let signal = signals.next(); signal !== undefined; signal = signals.next()) {
      if (signal === Signal.SIGWINCH) tellSize(socket, options.terminal);
      else if (signal === Signal.SIGHUP && options.terminal) {
        end ??= { kind: "detached" };
        stopIfDone();
      } else tell(socket, { kind: "signal", signal, isStop: false });
    }
  });
  reactor.add(socket.number, Event.IN, () => {
    const received = receiveMessage(socket.number, false);
    if (received.kind === "nothing") return;
    const answer = received.kind === "message" ? parseAnswer(received.text) : undefined;
    if (answer?.kind === "failed") failure = answer.reason;
    if (received.kind === "message" && answer?.kind !== "exit") return;
    reactor.remove(socket.number);
    end = answer?.kind === "exit" ? answer : { kind: "lost", reason: failure };
    if (end.kind === "exit") onExit(end);
    stopIfDone();
  });
  reactor.run();
  if (end?.kind === "exit") lost.check();
  return end ?? { kind: "lost", reason: failure };
}

/** Tells a container's terminal the size of ours. */
export function tellSize(socket: FileDescriptor, terminal: boolean): void {
  const size = windowSize(STANDARD.output) ?? windowSize(STANDARD.input);
  if (terminal && size !== undefined) tell(socket, { kind: "resize", rows: size.rows, columns: size.columns });
}
