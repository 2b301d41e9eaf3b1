/*
 * How a container starts, for the first time or again: its process and its supervisor are launched together, the start
 * goes on record, and the supervisor is told what it has in hand; supervisor/supervise.ts.
 *
 * The order matters when this command is killed on the way. The row comes before `supervise`: a supervisor that was not
 * told anything kills the container and gives the lock back, and the row is then seen to be wrong; the other way round a
 * container would run that nobody knows of.
 */

import type { LaunchProgram } from "../../launch/program.ts";
import type { Configuration } from "../../runtime/configuration/configuration.ts";
import { launchContainer } from "../../runtime/launch-container.ts";
import type { Boundary } from "../../runtime/planned-mounts.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { putText } from "../../sys/named-file.ts";
import { mountNamespaceId, openNamespaceOf } from "../../sys/namespace.ts";
import { identify, sendSignal } from "../../sys/process-identity.ts";
import { parseSignal, Signal } from "../../sys/signal.ts";
import { type AttachedStreams, type AttachmentOptions, requestAttachment } from "../attach/supervised-attachment.ts";
import { recordContainerEvent, recordNetworkEvent, recordVolumeMounts } from "../events/journal.ts";
import { newHealth } from "../health/health-check.ts";
import { joinedModes } from "../namespaces/namespace-mode.ts";
import { devicesToStart } from "../network/container-links.ts";
import { rootMountOf } from "../root-file-system.ts";
import { defaultSeccompFilter } from "../specification/default-seccomp-filter.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { ContainerDefinition, MountPoint } from "../state/container-definition.ts";
import { isHeld, isHeldForLonger, lockContainer } from "../state/container-directory.ts";
import { type ContainerLock, containerDirectory } from "../state/container-lock.ts";
import {
  isKnown,
  openContainers,
  prepareStart,
  recordFailedStart,
  recordStart,
  recordStatus,
  resetRestartCount,
} from "../state/containers.ts";
import { tell } from "../supervisor/connect.ts";
import type { EarlyWatch } from "../supervisor/early-end.ts";
import type { Supervise } from "../supervisor/protocol.ts";
import { endOf } from "../supervisor/supervisor-loss.ts";
import { beginChanges } from "../volumes/begin-changes.ts";
import { type BegunStart, mayEndEarly, openChannels, supervisorOf } from "./begin-start.ts";
import { containerResources } from "./container-resources.ts";
import { findContainer } from "./find-container.ts";
import { beginPatience, isHeldForAMoment } from "./held-for-a-moment.ts";
import { openNetwork } from "./open-network.ts";
import { stopSignalOf, stopTimeoutOf } from "./stop-container.ts";

/** How Docker calls the entries of a container in the journal. */
const DEFAULT_TAG = "{{.ID}}";

/** Ports that are handed over to a supervisor before it is there: they wait in its socket, which has no room for many. */
const MOST_PORTS_AHEAD = 64;

/** A container that can be started, by the command that holds its lock. */
export interface StartableContainer {
  readonly id: string;
  readonly name: string;
  readonly definition: ContainerDefinition;
  /** The lock on it, which its supervisor inherits. */
  readonly lock: ContainerLock;
  readonly configuration: Configuration;
  /** Its start, where that has begun already. */
  readonly begun?: BegunStart | undefined;
}

export interface StartOptions {
  /** What to attach before the container's first byte; undefined for nothing. */
  readonly attachment: AttachmentOptions | undefined;
  /** Whether this command records the end when it sees it. */
  readonly recordsEnd: boolean;
  /** Milliseconds that the restart policy has waited. */
  readonly restartDelay: number;
  /** How many descriptors from 3 on the container gets of this process's, for this run. */
  readonly preservedDescriptors?: number;
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Receives what is not as the specifications of its devices want it; they are what changes with the host. */
  readonly onDeviceWarning?: ((message: string) => void) | undefined;
  /** Receives which limits do not hold, where the user wants no cgroup. */
  readonly onUnkeptLimits?: ((message: string) => void) | undefined;
  readonly onProgram?: ((program: LaunchProgram) => void) | undefined;
}

/** A container that has been started, as the command sees it. */
export interface StartedContainer {
  /** Its first process. */
  readonly pid: number;
  /** To its supervisor; answers with the exit unasked. */
  readonly socket: FileDescriptor;
  readonly streams: AttachedStreams | undefined;
  /** Its supervisor's pid, a child of this process. */
  readonly supervisor: number | undefined;
  /** How this command learns of the container's end if that comes before the supervisor, where it may. */
  readonly earlyWatch: EarlyWatch | undefined;
}

/**
 * Starts a container.
 * @throws BunkerError what keeps it from starting, which is on record then
 */
export async function startContainer(
  database: StateDatabase,
  data: string,
  container: StartableContainer,
  options: StartOptions,
): Promise<StartedContainer> {
  const { id } = container;
  try {
    return await launchSupervised(database, data, container, options);
  } catch (error) {
    if (error instanceof BunkerError) recordFailedStart(database, id, error.message, error.exitStatus);
    recordContainerEvent(data, "die", container, {
      exitCode: String(error instanceof BunkerError ? error.exitStatus : 125),
    });
    throw error;
  }
}

async function launchSupervised(
  database: StateDatabase,
  data: string,
  container: StartableContainer,
  options: StartOptions,
): Promise<StartedContainer> {
  const { id, definition, lock } = container;
  const devices = definition.namedDevices === undefined ? undefined : await import("../devices/container-devices.ts");
  const joined = await withNamespaces(
    database,
    data,
    devices?.withDevices(data, container, options.onDeviceWarning) ?? container,
  );
  const pidNamespace = pidNamespaceOf(joined.configuration);
  using cleanup = new DisposableStack();
  const begun = container.begun && cleanup.use(container.begun);
  const links = devicesToStart(database, { ...container, hostname: joined.configuration.hostname });
  const channels =
    begun?.channels ??
    cleanup.use(
      openChannels(data, id, {
        terminal: definition.terminal,
        openInput: definition.openInput,
        mayEndEarly: mayEndEarly({
          recordsEnd: options.recordsEnd,
          // Who is not attached does not wait for the end.
          takesInput: options.attachment?.input !== false,
          terminal: definition.terminal,
          hasOwnPidNamespace: pidNamespace === "own",
          sharesNetworks: links.some(({ membership }) => membership !== undefined),
        }),
        preservedDescriptors: options.preservedDescriptors ?? 0,
      }),
    );
  const { socket, theirs, watching, told, streams, sockets } = channels;
  const configuration = withEnvironment(joined.configuration, sockets?.environment ?? []);
  const directory = containerDirectory(data, id);
  for (const { source, changes, image } of definition.mountPoints) {
    if (changes !== undefined) beginChanges(data, image?.lower[0] ?? source, changes);
  }
  const { uidMappings, gidMappings } = configuration.linux ?? {};
  const userNamespace =
    uidMappings === undefined || gidMappings === undefined ? undefined : { uidMappings, gidMappings };
  const root = rootMountOf(definition.root, {
    directory,
    data,
    ephemeral: definition.remove,
    readOnly: configuration.root?.readonly === true,
    userNamespace,
  });
  const images = definition.mountPoints.some(({ type }) => type === "image")
    ? (await import("../volumes/image-mounts.ts")).mountsOfImages(data, definition.mountPoints, userNamespace)
    : undefined;
  const { forwards = [] } = definition.networkPlan ?? definition.membership ?? {};
  const network = cleanup.use(await openNetwork(links, forwards, uidMappings !== undefined));
  const resources = await containerResources(id, definition, configuration, options.onUnkeptLimits);
  const seccomp = definition.defaultFilter ? defaultSeccompFilter : await compilerOf(configuration, options.onWarning);
  let settleGroup: (() => string | undefined) | undefined;
  let cgroup: string | undefined;
  let mountNamespace: string | undefined;
  let startTime = 0;
  let attached: AttachedStreams | undefined;
  const init = definition.init
    ? cleanup.use(
        (await import("../../launch/container-init.ts")).memfdWithContainerInit({ tellsPid: sockets !== undefined }),
      )
    : undefined;
  let isStarted = false;
  cleanup.defer(() => {
    if (!isStarted) for (const end of [attached?.input, attached?.output, attached?.error]) end?.close();
  });
  const launched = cleanup.use(
    launchContainer({
      id,
      configuration: { ...configuration, process: resources.process },
      bundle: directory,
      mountRoot: root.mount,
      mountSources: images?.mount,
      mountSize: root.mountSize + (images?.size ?? 0),
      boundaries: boundariesOf(definition.mountPoints),
      mountNamespaces: joined.mountNamespaces,
      standardStreams:
        streams === undefined ? undefined : [streams.inner[0].number, streams.inner[1].number, streams.inner[2].number],
      init: init?.number,
      seccomp,
      dieWithParent: true,
      onNamespaces:
        resources.beginGroup === undefined && network === undefined && pidNamespace !== "joined"
          ? undefined
          : (namespaces, pids) => {
              settleGroup = resources.beginGroup?.(pids);
              network?.makeDevices(namespaces);
              if (pidNamespace !== "joined" || namespaces.mount === undefined) return;
              mountNamespace = mountNamespaceId(namespaces.mount);
              tell(socket, { kind: "mount namespace" }, [namespaces.mount]);
            },
      beforeGoingOn: () => {
        cgroup = settleGroup?.();
      },
      changesCgroup: resources.beginGroup !== undefined,
      supervisor: begun?.supervisor ?? supervisorOf(data, id, lock, channels),
      preservedDescriptors: channels.preserved,
      meanwhile: (pid) => {
        startTime = identify(pid)?.startTime ?? 0;
        // Before `supervise`, so that the container's first output finds its reader.
        if (options.attachment !== undefined) attached = requestAttachment(socket, options.attachment);
        prepareStart(database, watching !== undefined && definition.remove);
      },
      begun: begun?.launch,
      onWarning: options.onWarning,
      onProgram: options.onProgram,
    }),
  );
  // As long as it is open here, a message to a supervisor that was killed seems to arrive. One that is killed from here on
  // takes the container with it; one killed earlier may have died before the container had tied its life to it.
  theirs.close();
  const watched = (network?.bindings.length ?? 0) > MOST_PORTS_AHEAD ? undefined : watching;
  // So the process that waits for an early end becomes the supervisor at once; supervisor/early-end.ts.
  if (watched === undefined) watching?.close();
  const left: FileDescriptor[] = [];
  const mounts = watched !== undefined && hasMountsAlone(definition) ? openNamespaceOf(launched.pid, "mnt") : undefined;
  if (mounts !== undefined) left.push(mounts);
  const health = definition.health === undefined ? undefined : newHealth(definition.health);
  const { pid } = launched;
  recordStart(database, id, { pid, startTime, cgroup, mountNamespace }, { health, ports: network?.bindings ?? [] });
  if (definition.pidFile !== undefined) writePidFile(definition.pidFile, pid);
  network?.handOver(socket);
  const passed =
    streams === undefined
      ? [launched.terminal]
      : [
          streams.outer.output,
          streams.outer.error,
          ...(streams.outer.input === undefined ? [] : [streams.outer.input]),
        ];
  const isTold = tell(
    socket,
    {
      kind: "supervise",
      pid,
      terminal: definition.terminal,
      inputOnce: definition.inputOnce,
      pidNamespace,
      stopSignal: parseSignal(stopSignalOf(definition)),
      stopTimeout: stopTimeoutOf(definition),
      log: { ...definition.log, journal: journalIdentity(container) },
      isRecordedByCommand: options.recordsEnd,
      networks: networkRules(definition),
      restartDelay: options.restartDelay,
      runTimeout: definition.runTimeout || undefined,
      health:
        definition.health === undefined
          ? undefined
          : { ...definition.health, startupInterval: definition.health.startup?.interval },
      memoryGroup: resources.limitsMemory ? cgroup : undefined,
      softLimits: resources.soft,
    },
    passed.flatMap((descriptor) => (descriptor === undefined ? [] : [descriptor.number])),
  );
  if (!isTold) {
    sendSignal(launched.pidfd, Signal.SIGKILL);
    throw new BunkerError({
      code: "supervisor_lost",
      operation: "start container",
      object: id.slice(0, 12),
      reason: `its supervisor ${endOf(launched.supervisor?.pid)}`,
    });
  }
  try {
    network?.awaitService(socket);
  } catch (error) {
    sendSignal(launched.pidfd, Signal.SIGKILL);
    throw error;
  }
  for (const { membership } of links) {
    if (membership === undefined) continue;
    recordNetworkEvent(data, "connect", { id: membership.network, name: membership.name }, { container: id });
  }
  recordContainerEvent(data, "start", container);
  recordVolumeMounts(data, "mount", container);
  devices?.runPoststartHooks(data, id, pid, options.onDeviceWarning);
  channels.keep();
  isStarted = true;
  const started = { pid, socket, streams: attached, supervisor: launched.supervisor?.pid };
  if (watched === undefined || told === undefined || streams === undefined) {
    // The supervisor has them alone.
    if (watching !== undefined)
      for (const end of [told?.read, streams?.outer.output, streams?.outer.error]) end?.close();
    return { ...started, earlyWatch: undefined };
  }
  const { output, error } = streams.outer;
  const earlyWatch = {
    socket: watched,
    told: told.read,
    output,
    error,
    isLogged: definition.log.driver !== "none" && !definition.remove,
    left,
    [Symbol.dispose]: () => {
      for (const descriptor of [output, error, watched, told.read, ...left]) descriptor.close();
    },
  };
  return { ...started, earlyWatch };
}

/** Whether nobody else has to do with what a container has mounted, and will not mount it again. */
function hasMountsAlone({ remove, root, mountPoints, namedDevices }: ContainerDefinition): boolean {
  return remove && root.kind === "layers" && mountPoints.length === 0 && namedDevices === undefined;
}

/** Prepares the compilation of a container's own seccomp profile, whose code most have no need of. */
async function compilerOf(configuration: Configuration, onWarning: StartOptions["onWarning"]) {
  if (configuration.linux?.seccomp === undefined) return () => undefined;
  const { filterOf } = await import("../../runtime/seccomp/filter-of.ts");
  return () => filterOf(configuration, onWarning);
}

/** @throws BunkerError `pid_file_refused`; the container ends with this command then, as nobody supervises it yet */
function writePidFile(path: string, pid: number): void {
  try {
    putText(path, String(pid));
  } catch (error) {
    throw new BunkerError({
      code: "pid_file_refused",
      operation: "write the file for the pid",
      object: path,
      errno: errnoOf(error),
    });
  }
}

/** A configuration whose process has more in its environment. */
function withEnvironment(configuration: Configuration, entries: readonly string[]): Configuration {
  const { process } = configuration;
  if (process === undefined || entries.length === 0) return configuration;
  return { ...configuration, process: { ...process, env: [...(process.env ?? []), ...entries] } };
}

/** The configuration of a container with the paths of the namespaces that it joins; most join none. */
async function withNamespaces(
  database: StateDatabase,
  data: string,
  { configuration, definition }: StartableContainer,
): Promise<ReturnType<typeof import("../namespaces/joined-namespaces.ts").withJoinedNamespaces>> {
  if (joinedModes(definition).length === 0) return { configuration, mountNamespaces: new Map() };
  const { withJoinedNamespaces } = await import("../namespaces/joined-namespaces.ts");
  return withJoinedNamespaces(database, data, configuration, definition);
}

function pidNamespaceOf({ linux }: Configuration): "own" | "host" | "joined" {
  const namespace = linux?.namespaces?.find(({ type }) => type === "pid");
  if (namespace === undefined) return "host";
  return namespace.path === undefined ? "own" : "joined";
}

/** What the supervisor is told of a container's networks beforehand; its ports, of which there may be thousands, it is handed. */
function networkRules({ networkPlan, membership }: ContainerDefinition): Supervise["networks"] {
  const rules = networkPlan ?? membership;
  return rules === undefined ? undefined : { egress: rules.egress, shaping: rules.shaping };
}

/** What the journal is told of a container that logs there. */
function journalIdentity({ name, definition }: StartableContainer) {
  const { driver, tag = DEFAULT_TAG } = definition.log;
  return driver === "journald" ? { name, image: definition.image, tag } : undefined;
}

/**
 * Parts of volumes (`volume-subpath`) and images by their destinations: what is in them was written by others, who may put
 * symbolic links where a part was, in a volume at any time.
 */
function boundariesOf(mountPoints: readonly MountPoint[]): ReadonlyMap<string, Boundary> {
  return new Map(
    mountPoints.flatMap(({ destination, source, subpath, image }) =>
      subpath === undefined ? [] : [[destination, { directory: source, kind: image?.kind }]],
    ),
  );
}

/** Milliseconds between two looks at whether a copy has ended. */
const COPY_INTERVAL = 5;

/**
 * Takes a container that is not running, to start it, and waits for copies of its files and for who has it for a moment.
 * @returns undefined when it runs already
 * @throws BunkerError `container_busy`, `no_such_container`
 */
export function takeToStart(database: StateDatabase, data: string, id: string): StartableContainer | undefined {
  const isPatient = beginPatience();
  for (;;) {
    const lock = lockUncopied(data, id);
    if (lock !== undefined) return startable(database, data, id, lock);
    const container = findContainer(database, data, id);
    if (isHeldForAMoment(container) && isPatient()) continue;
    const { status, name } = container;
    if (status === "running" || status === "restarting" || status === "paused") return undefined;
    throw new BunkerError({
      code: "container_busy",
      operation: "start container",
      object: name,
      reason: status === "removing" ? "it is being removed" : "another command is working on it",
      exitStatus: 1,
    });
  }
}

function startable(database: StateDatabase, data: string, id: string, lock: ContainerLock): StartableContainer {
  try {
    const { name, definition } = findContainer(database, data, id);
    return { id, name, definition, lock, configuration: readConfiguration(data, id) };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** Takes the lock of a container as soon as nobody copies its files; undefined when somebody has it for another purpose. */
function lockUncopied(data: string, id: string): ContainerLock | undefined {
  for (;;) {
    const lock = lockContainer(data, id);
    // A copy may have ended in between, and what holds the lock now be another.
    if (lock !== undefined || !isHeld(data, id) || isHeldForLonger(data, id)) return lock ?? lockContainer(data, id);
    Bun.sleepSync(COPY_INTERVAL);
  }
}

/**
 * Starts a container again as its restart policy asks: called by the supervisor of the run before, which then ends.
 * @returns the pid of its new supervisor, a child of the caller's; undefined when there is no such container any more, and
 *   when it cannot be started, which is on record then
 */
export async function restartFromSupervisor(
  data: string,
  id: string,
  lock: ContainerLock,
  restartDelay: number,
): Promise<number | undefined> {
  using database = openContainers(data);
  if (!isKnown(database, id)) return undefined;
  const { name, definition } = findContainer(database, data, id);
  const container = { id, name, definition, lock, configuration: readConfiguration(data, id) };
  try {
    const started = await startContainer(database, data, container, {
      attachment: undefined,
      recordsEnd: false,
      restartDelay,
    });
    started.socket.close();
    return started.supervisor;
  } catch (error) {
    recordStatus(database, id, "exited");
    // Any other is not on record.
    if (!(error instanceof BunkerError)) throw error;
    lock.release();
    return undefined;
  }
}

/** Starts a container as a user's command does, from which its restart policy counts anew. */
export function startByCommand(
  database: StateDatabase,
  data: string,
  container: StartableContainer,
  options: Omit<StartOptions, "restartDelay">,
): Promise<StartedContainer> {
  resetRestartCount(database, container.id);
  return startContainer(database, data, container, { ...options, restartDelay: 0 });
}
