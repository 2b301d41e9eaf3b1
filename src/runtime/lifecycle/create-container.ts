/*
 * The command `create`, up to a process that waits at its gate; container-record.ts tells what is kept of it.
 *
 * Both FIFOs are opened before the launch, so that no opening ever blocks: the gate for reading and writing, which also
 * keeps the waiting process from seeing the end of a file when a starter has come and gone.
 */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type MadeGroup, removeMadeGroup } from "../../cgroup/runtime-group.ts";
import { setBlocking } from "../../sys/blocking.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { endsWithin, identify, sendSignal } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import { connectUnix, sendDescriptors } from "../../sys/socket.ts";
import { check } from "../../sys/system-call.ts";
import type { Process } from "../configuration/configuration.ts";
import { type InheritedSockets, inheritedSockets } from "../inherited-sockets.ts";
import { type Gate, launchContainer } from "../launch-container.ts";
import type { LaunchedContainer } from "../launched-container.ts";
import { checkedDescriptors } from "../preserved-descriptors.ts";
import { warnOfUnknownCapabilities } from "../process-setting.ts";
import type { filterOf as compileFilterOf } from "../seccomp/filter-of.ts";
import { type CgroupOptions, groupMaker } from "./container-group.ts";
import { ContainerDirectory } from "./container-record.ts";
import { firstProcessWithHome } from "./home-variable.ts";
import { type Bundle, readBundle } from "./read-bundle.ts";

/** What `create` and `run` are told. */
export interface CreateOptions {
  readonly bundle: string;
  /** The file with the configuration; undefined for the bundle's config.json. */
  readonly configurationPath: string | undefined;
  /** Where the terminal's master is sent to. */
  readonly consoleSocket: string | undefined;
  /** Whether somebody here takes the terminal, so that no socket is needed. */
  readonly keepsTerminal: boolean;
  readonly pidFile: string | undefined;
  readonly pivotRoot: boolean;
  readonly newKeyring: boolean;
  readonly preservedDescriptors: number;
  readonly cgroups: CgroupOptions;
  /** Receives what the user should know although the container works. */
  readonly onWarning: (message: string) => void;
  /** Receives what --debug shows. */
  readonly onDebug: ((message: string) => void) | undefined;
}

/** A container that waits for its start, and its record, which is locked. */
export interface CreatedContainer extends LaunchedContainer {
  readonly directory: ContainerDirectory;
}

/**
 * Creates a container, which then waits for its start.
 * @param root from `stateRoot`
 * @returns its process, with the terminal if `keepsTerminal`
 * @throws BunkerError; nothing is left of the container then
 */
export async function createContainer(root: string, id: string, options: CreateOptions): Promise<CreatedContainer> {
  const bundle = readBundle(options.bundle, options.configurationPath);
  const { linux } = bundle.configuration;
  const { filterOf } =
    linux?.seccomp === undefined ? { filterOf: () => undefined } : await import("../seccomp/filter-of.ts");
  checkTerminal(bundle.configuration.process?.terminal === true, options);
  using cleanup = new DisposableStack();
  const directory = cleanup.use(ContainerDirectory.claim(root, id));
  try {
    const container = cleanup.use(launchInto(directory, bundle, options, filterOf));
    const owned = cleanup.move();
    return { ...container, directory, [Symbol.dispose]: () => owned.dispose() };
  } catch (error) {
    const group = directory.record()?.group;
    directory.remove();
    if (group !== undefined) removeMadeGroup(group);
    throw error;
  }
}

/** @throws BunkerError when a terminal has nowhere to go, or a socket waits for none */
export function checkTerminal(
  terminal: boolean,
  { consoleSocket, keepsTerminal }: { readonly consoleSocket: string | undefined; readonly keepsTerminal: boolean },
): void {
  if (terminal && consoleSocket === undefined && !keepsTerminal) {
    throw new BunkerError({
      code: "no_console_socket",
      operation: "make the process's terminal",
      reason: "nobody would hold it when this command has ended",
      hint: "--console-socket names the unix socket that takes it",
    });
  }
  if (consoleSocket !== undefined && (!terminal || keepsTerminal)) {
    throw new BunkerError({
      code: "needless_console_socket",
      operation: "use the console socket",
      object: consoleSocket,
      reason: terminal ? "the terminal stays with this command" : "the process has no terminal (process.terminal)",
    });
  }
}

function launchInto(
  directory: ContainerDirectory,
  bundle: Bundle,
  options: CreateOptions,
  filterOf: typeof compileFilterOf,
): LaunchedContainer {
  const { configuration, path } = bundle;
  const { onDebug } = options;
  const sockets = inheritedSockets(process.env, process.pid);
  const first = withSockets(firstProcessWithHome(configuration, path), sockets);
  checkedDescriptors(options.preservedDescriptors + (sockets?.count ?? 0));
  if (configuration.process !== undefined) warnOfUnknownCapabilities(configuration.process, options.onWarning);
  const record = {
    bundle: path,
    rootfs: resolve(path, configuration.root.path),
    created: new Date().toISOString(),
    annotations: { ...configuration.annotations },
  };
  directory.writeRecord(record);
  directory.writeConfiguration(bundle);
  directory.makeFifos();
  using start = new FileDescriptor(check(directory.openFifo("start", OpenFlag.O_RDWR), "open the gate"));
  let group: MadeGroup | undefined;
  // The record comes at once, so that a kill leaves no cgroup that nobody knows of.
  const onMade = (made: MadeGroup) => {
    group = made;
    directory.writeRecord({ ...record, group });
  };
  const grouping = groupMaker(directory.id, configuration, options.cgroups, onMade, options.onWarning);
  const gate: Gate = {
    start,
    failure: openFailure(directory),
    onCreated: (pid, program) => {
      directory.write("failures.json", JSON.stringify(program.failureTableAfterHandOver()));
      directory.writeRecord({ ...record, process: identify(pid), group });
      if (options.pidFile !== undefined) writePidFile(options.pidFile, pid);
    },
  };
  const container = launchContainer({
    id: directory.id,
    configuration: { ...configuration, process: first },
    bundle: path,
    preservedDescriptors: options.preservedDescriptors + (sockets?.count ?? 0),
    pivotRoot: options.pivotRoot,
    newKeyring: options.newKeyring,
    gate,
    ...grouping,
    // What a portable seccomp profile says about other architectures is no news to the user of an engine.
    seccomp: () => filterOf(configuration, onDebug),
    onWarning: onDebug,
    onProgram: onDebug === undefined ? undefined : (program) => onDebug(program.describe()),
  });
  try {
    handOver(container.terminal, options.consoleSocket);
    return container;
  } catch (error) {
    sendSignal(container.pidfd, Signal.SIGKILL);
    endsWithin(container.pidfd, 10);
    container[Symbol.dispose]();
    throw error;
  }
}

/** A process that knows of the sockets which it gets; as with runc, before those of --preserve-fds. */
function withSockets(first: Process | undefined, sockets: InheritedSockets | undefined): Process | undefined {
  if (first === undefined || sockets === undefined) return first;
  const others = (first.env ?? []).filter((entry) => !/^LISTEN_(FDS|PID|FDNAMES)=/.test(entry));
  return { ...first, env: [...others, ...sockets.environment] };
}

/** The reading end first, because the writing end opens only when there is a reader. */
function openFailure(directory: ContainerDirectory): Gate["failure"] {
  const open = (flags: number) => new FileDescriptor(check(directory.openFifo("failure", flags), "open a FIFO"));
  const readEnd = open(OpenFlag.O_RDONLY | OpenFlag.O_NONBLOCK);
  const writeEnd = open(OpenFlag.O_WRONLY);
  setBlocking(readEnd.number, true);
  return { readEnd, writeEnd };
}

/**
 * Gives the terminal's master to whoever waits at the console socket. It is connected only now, when no child has its
 * descriptor: a created container would keep the receiver from seeing the end until its start.
 * @throws BunkerError
 */
export function handOver(terminal: FileDescriptor | undefined, consoleSocket: string | undefined): void {
  if (terminal === undefined || consoleSocket === undefined) return;
  using socket = connectUnix(consoleSocket);
  sendDescriptors(socket.number, Buffer.from("/dev/pts/ptmx"), [terminal.number]);
  terminal.close();
}

/** @throws BunkerError `pid_file_unwritable` */
export function writePidFile(path: string, pid: number): void {
  try {
    writeFileSync(path, String(pid));
  } catch (error) {
    throw new BunkerError({
      code: "pid_file_unwritable",
      operation: "write the pid file",
      object: path,
      errno: errnoOf(error),
    });
  }
}
