/*
 * The ends of a container's standard streams that its supervisor holds: its outputs, which are logged and copied to
 * those who are attached (output-copier.ts), its input, and its terminal if it has one.
 */
import { setBlocking } from "../../sys/blocking.ts";
import { duplicate } from "../../sys/duplicate.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { Reactor } from "../../sys/reactor.ts";
import type { WindowSize } from "../../sys/terminal.ts";
import { JsonFileWriter } from "../log/json-file-writer.ts";
import { logFile } from "../log/log-file.ts";
import type { LogWriter } from "../log/log-writer.ts";
import { containerDirectory } from "../state/container-lock.ts";
import { spawnInternal } from "./children.ts";
import { OutputCopier } from "./output-copier.ts";
import type { Supervise } from "./protocol.ts";

/** Where input goes, and what copies it there. */
interface Input {
  readonly descriptor: FileDescriptor;
  readonly Pump: typeof import("../../sys/pump.ts").Pump;
}

async function inputOf(descriptor: FileDescriptor): Promise<Input> {
  const { Pump } = await import("../../sys/pump.ts");
  return { descriptor, Pump };
}

/** What a supervisor has of a container's streams; nothing until `take`. */
export class ContainerStreams {
  readonly #reactor: Reactor;
  readonly #container: { readonly data: string; readonly id: string };
  readonly #onChange: () => void;
  readonly #outputs: { o?: OutputCopier; e?: OutputCopier } = {};
  // What sizes terminals and copies input is loaded with them: most containers in the background have neither.
  #terminal: { readonly descriptor: FileDescriptor; readonly setSize: (size: WindowSize) => void } | undefined;
  #input: Input | undefined;
  /** Whether the container's input ends with the first one that was attached to it. */
  #inputOnce = false;
  #log: LogWriter | undefined;

  /** @param onChange called when an output has ended, and whenever somebody who was attached to one has gone */
  constructor(reactor: Reactor, container: { readonly data: string; readonly id: string }, onChange: () => void) {
    this.#reactor = reactor;
    this.#container = container;
    this.#onChange = onChange;
  }

  /** What the log lacks. */
  get lost(): LogWriter["lost"] {
    return this.#log?.lost ?? { bytes: 0, errno: undefined };
  }

  /** Whether all outputs have been read to their end. */
  get haveEnded(): boolean {
    return this.#outputList().every((output) => output.hasEnded);
  }

  /** Whether somebody who is attached has still to take something. */
  get areBusy(): boolean {
    return this.#outputList().some((output) => output.hasWaiting);
  }

  /**
   * Takes over what the command that starts the container has.
   * @param descriptors the terminal, or the ends of the outputs and of the input as far as there are any
   */
  async take(
    { log, terminal, inputOnce }: Supervise,
    [first, second, third]: readonly FileDescriptor[],
  ): Promise<void> {
    const { data, id } = this.#container;
    this.#inputOnce = inputOnce && !terminal;
    if (log.journal !== undefined) {
      const { JOURNAL_SOCKET, JournalWriter } = await import("../log/journal/journal-writer.ts");
      this.#log = new JournalWriter(JOURNAL_SOCKET, { id, ...log.journal });
    } else if (log.driver !== "none") {
      const path = logFile(containerDirectory(data, id), id);
      this.#log = new JsonFileWriter(path, log, (aside) => {
        // One that cannot be compressed now stays as it is, and is read like the others.
        return spawnInternal(this.#reactor, ["compress", aside], () => {}) ?? (() => {});
      });
    }
    if (first === undefined) return;
    if (terminal) {
      // Another number for each role: the reactor knows each only once.
      const { setWindowSize } = await import("../../sys/terminal.ts");
      const descriptor = duplicate(first.number);
      this.#terminal = { descriptor, setSize: (size) => setWindowSize(descriptor.number, size) };
      this.#input = await inputOf(duplicate(first.number));
    }
    this.#outputs.o = this.#copy(first, "stdout");
    if (second !== undefined) this.#outputs.e = this.#copy(second, "stderr");
    if (third !== undefined) {
      setBlocking(third.number, false);
      this.#input = await inputOf(third);
    }
  }

  #copy(source: FileDescriptor, stream: "stdout" | "stderr"): OutputCopier {
    setBlocking(source.number, false);
    const writer = this.#log;
    const write = writer === undefined ? undefined : (bytes: Buffer) => writer.write(stream, bytes);
    return new OutputCopier(this.#reactor, source, write, this.#onChange);
  }

  #outputList(): OutputCopier[] {
    return Object.values(this.#outputs);
  }

  /**
   * Attaches pipes.
   * @param streams a letter for each of them: `i`, `o` or `e`
   */
  attach(streams: string, descriptors: readonly FileDescriptor[]): void {
    for (const [index, descriptor] of descriptors.entries()) {
      const stream = streams[index];
      const output = stream === "o" || stream === "e" ? this.#outputs[stream] : undefined;
      if (output !== undefined) output.attach(descriptor);
      else if (stream === "i" && this.#input !== undefined) this.#copyInput(descriptor, this.#input);
      else descriptor.close();
    }
  }

  #copyInput(source: FileDescriptor, { descriptor, Pump }: Input): void {
    setBlocking(source.number, false);
    const destination = duplicate(descriptor.number);
    new Pump(this.#reactor, { source: source.number, destination: destination.number }, () => {
      source.close();
      destination.close();
      if (this.#inputOnce) this.closeInput();
    });
  }

  /** Sets the size of the terminal, if there is one. */
  resize(size: WindowSize): void {
    this.#terminal?.setSize(size);
  }

  /** Closes an output unless somebody is attached to it. */
  closeIfUnread(stream: "o" | "e"): void {
    this.#outputs[stream]?.closeIfUnread();
  }

  /** Reads what is left of the outputs, and no more. */
  finishOutputs(): void {
    for (const output of this.#outputList()) output.finish();
  }

  closeInput(): void {
    this.#input?.descriptor.close();
    this.#input = undefined;
  }

  /** Logs what has no line's end, because no more will come. */
  endLog(): void {
    this.#log?.end();
  }
}
