/*
 * What a start begins with: the descriptors that the container's process and its supervisor inherit, and their launch up to
 * where the process waits for its id maps.
 *
 * A command that makes a container and starts it at once does this as soon as the container has a directory and its image is
 * there, before it makes the configuration: meanwhile the kernel makes the namespaces, and newuidmap and newgidmap write
 * the maps (runtime/begun-launch.ts). Whatever fails until the start goes on, both processes are ended; and when this
 * command is killed, they end as they do when it is killed later: the container's process sees the end of its socket, the
 * other one that of its own.
 */

import { wordsSize } from "../../launch/words-size.ts";
import { type BegunLaunch, beginLaunch, type SupervisorProgram } from "../../runtime/begun-launch.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { type InheritedSockets, inheritedSockets } from "../../runtime/inherited-sockets.ts";
import { checkedDescriptors } from "../../runtime/preserved-descriptors.ts";
import { setBlocking } from "../../sys/blocking.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { messageSocketPair } from "../../sys/message-socket.ts";
import { servingEnvironment } from "../../sys/own-command.ts";
import { pipe, socketPair } from "../../sys/socket.ts";
import { makeStreams, type Streams } from "../attach/attachment.ts";
import { containerNamespaces } from "../specification/container-specification.ts";
import type { RunOptions } from "../specification/run-options.ts";
import type { ContainerLock } from "../state/container-lock.ts";
import { becomeSupervisor } from "../supervisor/become-supervisor.ts";
import { listenForSupervisor } from "../supervisor/connect.ts";

/** What decides whether a command sees the end of its container. */
export interface EarlyEndCase {
  /** Whether the command records the end when it sees it. */
  readonly recordsEnd: boolean;
  /** Whether the command passes its own input on. */
  readonly takesInput: boolean;
  readonly terminal: boolean;
  /** Whether the container's end is that of all its processes. */
  readonly hasOwnPidNamespace: boolean;
  /** Whether it is on networks that it shares with others: they are served before it has started. */
  readonly sharesNetworks: boolean;
}

/** Whether a command sees an end that comes before the supervisor, where early-end.ts is for such containers. */
export function mayEndEarly(start: EarlyEndCase): boolean {
  const { recordsEnd, takesInput, terminal, hasOwnPidNamespace, sharesNetworks } = start;
  return recordsEnd && !takesInput && !terminal && hasOwnPidNamespace && !sharesNetworks;
}

/** How a container is started, as far as descriptors depend on it. */
export interface ChannelOptions {
  readonly terminal: boolean;
  /** Whether its input stays open for whoever attaches. */
  readonly openInput: boolean;
  /** Whether the command sees an end that comes before the supervisor; supervisor/early-end.ts. */
  readonly mayEndEarly: boolean;
  /** How many descriptors from 3 on the user wants to be passed on. */
  readonly preservedDescriptors: number;
}

/** The descriptors of a start. `dispose` closes those that only others have need of, and all of them unless `keep` was called. */
export interface StartChannels extends Disposable {
  /** To the supervisor, and its end of it. */
  readonly socket: FileDescriptor;
  readonly theirs: FileDescriptor;
  /** This command's end of the pair by which it learns of an early end, and the other; undefined where it does not. */
  readonly watching: FileDescriptor | undefined;
  readonly waiting: FileDescriptor | undefined;
  /** The pipe by which it is told, the reading end for both. */
  readonly told: { readonly read: FileDescriptor; readonly write: FileDescriptor } | undefined;
  /** undefined with a terminal. */
  readonly streams: Streams | undefined;
  /** What other commands connect to. */
  readonly listener: FileDescriptor;
  /** What systemd has opened for the container. */
  readonly sockets: InheritedSockets | undefined;
  /** How many descriptors from 3 on are passed on. */
  readonly preserved: number;
  /** Says that the container has started, and that what its command goes on with stays. */
  readonly keep: () => void;
}

/**
 * Opens what a start begins with.
 * @throws BunkerError
 */
export function openChannels(data: string, id: string, options: ChannelOptions): StartChannels {
  const sockets = inheritedSockets(process.env, process.pid);
  const preserved = Math.max(sockets?.count ?? 0, checkedDescriptors(options.preservedDescriptors));
  using cleanup = new DisposableStack();
  const [socket, theirs] = messageSocketPair();
  const [watching, waiting] = options.mayEndEarly ? socketPair() : [];
  const told = options.mayEndEarly ? nonBlockingPipe() : undefined;
  // What outlives the start.
  const kept = [socket, watching, told?.read].filter((end) => end !== undefined);
  let isStarted = false;
  cleanup.defer(() => {
    if (!isStarted) for (const end of kept) end.close();
  });
  for (const end of [theirs, waiting, told?.write]) if (end !== undefined) cleanup.use(end);
  const streams = options.terminal ? undefined : makeStreams(options.openInput);
  for (const end of [...(streams?.inner ?? []), streams?.outer.input]) if (end !== undefined) cleanup.use(end);
  for (const end of [streams?.outer.output, streams?.outer.error]) {
    if (end === undefined) continue;
    if (options.mayEndEarly) kept.push(end);
    else cleanup.use(end);
  }
  const listener = cleanup.use(listenForSupervisor(data, id));
  const opened = cleanup.move();
  return {
    socket,
    theirs,
    watching,
    waiting,
    told,
    streams,
    listener,
    sockets,
    preserved,
    keep: () => {
      isStarted = true;
    },
    [Symbol.dispose]: () => opened.dispose(),
  };
}

function nonBlockingPipe(): NonNullable<StartChannels["told"]> {
  const [read, write] = pipe();
  setBlocking(read.number, false);
  return { read, write };
}

/** What a launched process does to become the supervisor of the container whose process it has cloned. */
export function supervisorOf(
  data: string,
  id: string,
  lock: ContainerLock,
  channels: StartChannels,
): SupervisorProgram {
  const { theirs, listener, preserved, waiting, told } = channels;
  const earlyEnd =
    waiting === undefined || told === undefined
      ? undefined
      : { command: waiting.number, told: { read: told.read.number, write: told.write.number } };
  const environment = servingEnvironment();
  return {
    size: wordsSize(environment),
    emit: (program, pid) =>
      becomeSupervisor(
        program,
        { control: theirs.number, lock: lock.number, listener: listener.number },
        { data, id, pid },
        { environment, passedOn: preserved, earlyEnd },
      ),
  };
}

/** A start that has begun. To be gone on with by `startContainer`, or given up by `dispose`. */
export interface BegunStart extends Disposable {
  readonly channels: StartChannels;
  readonly supervisor: SupervisorProgram;
  readonly launch: BegunLaunch;
}

/** A container that is being made: its directory is there. */
export interface UnfinishedContainer {
  readonly id: string;
  readonly lock: ContainerLock;
  readonly options: RunOptions;
  readonly userNamespace: IdMap | undefined;
}

/** What is known of a start beforehand. */
interface StartGuess extends Pick<EarlyEndCase, "recordsEnd" | "takesInput"> {
  readonly preservedDescriptors: number;
}

/**
 * Begins the start of a container that is being made, where that can be.
 * @returns undefined where the start has to wait until the container is made, also because something fails: what that is,
 * the start says when it comes to it
 */
export function beginStart(
  data: string,
  { id, lock, options, userNamespace }: UnfinishedContainer,
  guess: StartGuess,
): BegunStart | undefined {
  if (userNamespace === undefined || options.init) return undefined;
  using cleanup = new DisposableStack();
  try {
    const channels = cleanup.use(
      openChannels(data, id, {
        terminal: options.terminal,
        openInput: options.interactive,
        mayEndEarly: mayEndEarly({
          ...guess,
          terminal: options.terminal,
          hasOwnPidNamespace: options.pidNamespace !== "host",
          sharesNetworks: options.network === "shared",
        }),
        preservedDescriptors: guess.preservedDescriptors,
      }),
    );
    const supervisor = supervisorOf(data, id, lock, channels);
    const launch = beginLaunch({
      namespaces: containerNamespaces({ options, userNamespace }),
      idMap: userNamespace,
      oomScoreAdj: options.oomScoreAdjustment,
      preservedDescriptors: channels.preserved,
      supervisor,
    });
    if (launch === undefined) return undefined;
    cleanup.use(launch);
    const begun = cleanup.move();
    return { channels, supervisor, launch, [Symbol.dispose]: () => begun.dispose() };
  } catch {
    // There is no container yet whose failed start could be recorded.
    return undefined;
  }
}
