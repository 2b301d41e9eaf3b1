/*
 * The runtime's side of a container's creation: it builds the launch program, clones, writes the id maps, runs the
 * hooks of the runtime's namespaces and takes the terminal, in the conversation that container-program.ts describes.
 * Whatever fails on either side, nothing of the container is left: the child is killed and reaped.
 */
import { launch, launchReportingTo, type ObservedProcess } from "../launch/launch.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { MemoryFile } from "../sys/memory-file.ts";
import { openFile } from "../sys/named-file.ts";
import { OpenFlag } from "../sys/open.ts";
import { readIfThere } from "../sys/read-if-there.ts";
import { resolvePath } from "../sys/resolve-path.ts";
import { receiveDescriptor } from "../sys/socket.ts";
import {
  type BegunLaunch,
  type LaunchBeginning,
  launchSupervisor,
  prepareLaunch,
  type SupervisorProgram,
} from "./begun-launch.ts";
import type { Configuration, Linux } from "./configuration/configuration.ts";
import { NamespaceFlag, type NamespaceType } from "./configuration/namespaces.ts";
import { finishContainerProgram, hasHooksAtCreation } from "./container-program.ts";
import { awaitFirst, awaitSuccessor, type Conversation, expectByte, failureOf, sendByte } from "./conversation.ts";
import { runHostHooks } from "./host-hooks.ts";
import { openIdMapNamespace } from "./id-map/id-map-namespace.ts";
import type { IdMap } from "./id-map/id-mapping.ts";
import { mountIdMap, withoutIdMap } from "./id-map/mount-id-map.ts";
import { whileMapsAreWritten } from "./id-map/while-maps-are-written.ts";
import {
  beginIdMap,
  isInInitialUserNamespace,
  isPrivileged,
  permitsSetGroups,
  writeIdMap,
} from "./id-map/write-id-map.ts";
import { awaitExec, type LaunchedContainer, leadToExec } from "./launched-container.ts";
import { passListener } from "./pass-listener.ts";
import { type Boundary, planMounts } from "./planned-mounts.ts";
import { arenaSize } from "./process-program.ts";
import { checkSecurityModules, isPipe, processSettingOf } from "./process-setting.ts";
import { realRootPath } from "./root-path.ts";
import type { CompiledFilter } from "./seccomp/compile.ts";
import { OCI_VERSION, type State } from "./state.ts";
import type { CopyUp } from "./steps/copy-up.ts";
import {
  firstCloneFlags,
  intermediateMakesUserNamespace,
  isHidden,
  needsIntermediate,
  planNamespaces,
} from "./steps/namespaces.ts";
import { explainingRefusal } from "./user-namespace-refusal.ts";

/** What a container needs besides its configuration. */
export interface LaunchContainerOptions {
  readonly id: string;
  readonly configuration: Configuration;
  /** The bundle's directory; relative paths of the configuration start here. */
  readonly bundle: string;
  /** Mounts the root file system on the configuration's root path, which then only is a mount point. */
  readonly mountRoot?: ((program: LaunchProgram) => void) | undefined;
  /** Mounts what binds have their sources in; before the root file system. */
  readonly mountSources?: ((program: LaunchProgram) => void) | undefined;
  /** How many bytes `mountRoot` and `mountSources` may need in the program. */
  readonly mountSize?: number | undefined;
  /** By destinations of binds. */
  readonly boundaries?: ReadonlyMap<string, Boundary> | undefined;
  /** Paths of mount namespaces by destinations of binds: what is bound there, directories, is mounted in those. */
  readonly mountNamespaces?: ReadonlyMap<string, string> | undefined;
  /** Descriptors that become the standard streams; the runtime's own without it. */
  readonly standardStreams?: readonly [number, number, number] | undefined;
  readonly preservedDescriptors?: number | undefined;
  /** See `ProcessSetting.init`. */
  readonly init?: number | undefined;
  /**
   * Gives the compiled filter of `linux.seccomp` (seccomp/filter-of.ts), or of what stands for it; undefined for none.
   * Called while others are busy.
   */
  readonly seccomp: () => CompiledFilter | undefined;
  readonly pivotRoot?: boolean | undefined;
  readonly newKeyring?: boolean | undefined;
  readonly dieWithParent?: boolean | undefined;
  /**
   * Called once when the container's namespaces exist, while it waits; what it throws ends the container.
   * @param namespaces as long as it runs
   * @param pids of that process, which is the container's own, and of its parent if there is a supervisor
   */
  readonly onNamespaces?: ((namespaces: ContainerNamespaces, pids: ContainerPids) => void) | undefined;
  /** Called after that, as late as the container still waits; what it throws ends the container. */
  readonly beforeGoingOn?: (() => void) | undefined;
  /**
   * Called when the container's process has all of its program and goes on to its exec, without a gate: there is time until
   * it is there. What it throws ends the container.
   */
  readonly meanwhile?: ((pid: number) => void) | undefined;
  /** Whether `onNamespaces` moves the container into a cgroup, so that its cgroup namespace begins anew there. */
  readonly changesCgroup?: boolean | undefined;
  /** Where the container waits before its exec; without it, it goes on. */
  readonly gate?: Gate | undefined;
  /** Makes the container the child of another process, which outlives us, and reaps no child before it is told to. */
  readonly supervisor?: SupervisorProgram | undefined;
  /** The launch, where it was begun before the configuration was known, by the same `supervisor`. */
  readonly begun?: BegunLaunch | undefined;
  /** Receives what the container works in spite of: data about things that have no effect. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Is shown the finished launch program before it runs. */
  readonly onProgram?: ((program: LaunchProgram) => void) | undefined;
}

/** How a created container waits for its start; the descriptors' numbers are the child's, too. */
export interface Gate {
  /** What the container's process reads a byte from when it may go on. */
  readonly start: FileDescriptor;
  /** The ends of what a failure is told through: to us now, later to whoever starts the container. */
  readonly failure: { readonly readEnd: FileDescriptor; readonly writeEnd: FileDescriptor };
  /**
   * Called when the process is complete, with its pid and with the program that it executes. Only when it has returned
   * the process goes to its gate, where it can outlive us: what it throws, or a kill of us, ends the container.
   */
  readonly onCreated: (pid: number, program: LaunchProgram) => void;
}

/** Descriptors by which setns(2) finds a container's namespaces: each is the namespace's, or a pidfd of a process in it. */
export interface ContainerNamespaces {
  readonly user: number;
  readonly network: number;
  /** The namespace's own, for a container among the processes of another; undefined for all others. */
  readonly mount: number | undefined;
}

/** Who waits while a container's namespaces are being furnished. */
export interface ContainerPids {
  readonly container: number;
  readonly supervisor: number | undefined;
}

function openNamespace(path: string, type: NamespaceType): number {
  try {
    return openFile(path, OpenFlag.O_RDONLY).release();
  } catch (error) {
    throw new BunkerError({
      code: "namespace_not_found",
      operation: `open the ${type} namespace`,
      object: path,
      errno: errnoOf(error),
    });
  }
}

/** @throws BunkerError for what no host can get from us: better than to run without */
function checkImplemented({ intelRdt, netDevices = {} }: Linux): void {
  const refuse = (member: string, reason: string) => {
    throw new BunkerError({
      code: "not_implemented",
      operation: "create container",
      reason: `Bunker does not implement linux.${member}: ${reason}`,
    });
  };
  if (intelRdt !== undefined) refuse("intelRdt", "it leaves the file system resctrl to the host's administrator");
  if (Object.keys(netDevices).length > 0) {
    refuse("netDevices", "it moves no device of the host's; a hook, or whoever makes the network namespace, can");
  }
}

/**
 * Without a mount namespace the container's mounts would be made among the host's, and its root become that of every
 * process there.
 * @throws BunkerError `invalid_configuration`
 */
function checkMountNamespace({ namespaces = [] }: Linux): void {
  if (namespaces.some(({ type }) => type === "mount")) return;
  throw new BunkerError({
    code: "invalid_configuration",
    operation: "create container",
    reason: "linux.namespaces: a container needs a mount namespace, or its root would become the host's",
  });
}

/**
 * Creates a container's process and waits until it has executed its command or, with a gate, waits there.
 * @throws BunkerError; nothing is left of the container then
 */
export function launchContainer(options: LaunchContainerOptions): LaunchedContainer {
  const { configuration, bundle, gate } = options;
  const process = configuration.process;
  if (process === undefined) {
    throw new BunkerError({
      code: "invalid_configuration",
      operation: "create container",
      object: options.id,
      reason: "the configuration has no process",
    });
  }
  const linux = configuration.linux ?? {};
  const privileged = isPrivileged();
  const joinDescriptors: FileDescriptor[] = [];
  using cleanup = new DisposableStack();
  cleanup.defer(() => {
    for (const descriptor of joinDescriptors) descriptor.close();
  });
  const own = (descriptor: number) => {
    joinDescriptors.push(new FileDescriptor(descriptor));
    return descriptor;
  };
  const namespaces = planNamespaces(linux.namespaces ?? [], linux.timeOffsets, (path, type) =>
    own(openNamespace(path, type)),
  );
  const makesUserNamespace = (namespaces.created & NamespaceFlag.user) !== 0;
  const idMap: IdMap = { uidMappings: linux.uidMappings ?? [], gidMappings: linux.gidMappings ?? [] };
  const joinedUserNamespace = namespaces.joined.find(({ type }) => type === "user")?.descriptor;
  const stateFile = hasHooksAtCreation(configuration) ? cleanup.use(new MemoryFile("container state")) : undefined;
  // Before the launch, since the child has to inherit the descriptors that are opened here.
  checkSecurityModules({ selinuxLabel: linux.mountLabel });
  checkMountNamespace(linux);
  checkImplemented(linux);
  const mounts = planMounts(configuration.mounts ?? [], {
    bundle,
    boundaries: options.boundaries,
    mountNamespaces: new Map(
      [...(options.mountNamespaces ?? [])].map(([destination, path]) => [
        destination,
        own(openNamespace(path, "mount")),
      ]),
    ),
    mountLabel: linux.mountLabel,
    ownCgroupNamespace: linux.namespaces?.some(({ type }) => type === "cgroup") === true,
    openIdMapNamespace: (mount, written) => {
      const map = mountIdMap(mount, written, idMap);
      if (map !== undefined) return own(openIdMapNamespace(map, privileged));
      if (joinedUserNamespace === undefined) throw withoutIdMap(mount);
      return joinedUserNamespace;
    },
  });
  const beginning: LaunchBeginning = {
    namespaces,
    idMap,
    oomScoreAdj: process.oomScoreAdj,
    mounts,
    preservedDescriptors: options.preservedDescriptors ?? 0,
    size:
      arenaSize(process, options.init !== undefined, configuration) +
      (options.mountSize ?? 0) +
      (options.supervisor?.size ?? 0),
    supervisor: options.supervisor,
  };
  const inherits = joinDescriptors.length > 0 || stateFile !== undefined || options.init !== undefined;
  const taken = options.begun?.takeFor(beginning, inherits);
  const prepared = cleanup.use(taken?.prepared ?? prepareLaunch(beginning));
  const { ours, theirs, helpers, setting, built, isFinishedLater } = prepared;
  const { program } = built;
  const rootPath = resolvePath(configuration.root?.path ?? "", bundle);
  let listener: CompiledFilter["listener"];
  let copyUps: readonly CopyUp[] = [];
  const finishProgram = (beginEarly?: () => void) => {
    const seccomp = options.seccomp();
    if (seccomp === undefined && linux.seccomp !== undefined) throw new Error("the seccomp filter was not compiled");
    listener = seccomp?.listener;
    copyUps = finishContainerProgram(built, {
      ...setting,
      ...processSettingOf(process, seccomp, options.onWarning),
      configuration,
      process,
      bundle,
      rootPath: options.mountRoot === undefined ? realRootPath(rootPath) : rootPath,
      mountRoot: options.mountRoot,
      mountSources: options.mountSources,
      mounts,
      namespaces,
      canMakeNodes:
        !makesUserNamespace && joinedUserNamespace === undefined && isInInitialUserNamespace() && privileged,
      pivotRoot: options.pivotRoot ?? true,
      stateDescriptor: stateFile?.descriptor.number,
      standardStreams: options.standardStreams,
      ownedStreams: [0, 1, 2].filter((number) => isPipe(options.standardStreams?.[number] ?? number)),
      init: options.init,
      supplementaryGroups: supplementaryGroups(
        configuration,
        makesUserNamespace || (joinedUserNamespace !== undefined && idMap.gidMappings.length > 0) ? idMap : undefined,
        privileged,
      ),
      newKeyring: options.newKeyring ?? true,
      dieWithParent: options.dieWithParent ?? false,
      gate: gate?.start.number,
      beginEarly,
      waitsAlready: taken !== undefined,
      waitsForNamespaces,
      sentNamespaces: isHidden(namespaces) ? SENT_NAMESPACES : [],
      renewsCgroupNamespace: options.changesCgroup === true && (namespaces.created & NamespaceFlag.cgroup) !== 0,
    });
    options.onProgram?.(program);
  };
  // A cgroup is settled as late as can be; and copies are made in the middle of the mounts, in a conversation of their own.
  const beginsEarly =
    isFinishedLater &&
    options.changesCgroup !== true &&
    !mounts.some((mount) => mount.kind === "filesystem" && mount.options.copyUp);
  // There too the container waits in its namespaces; elsewhere it has to be told to.
  const waitsForNamespaces = options.onNamespaces !== undefined && !isFinishedLater;
  const flags = firstCloneFlags(namespaces);
  const isSupervised = options.supervisor !== undefined;
  const launchIt = () => {
    if (isFinishedLater) program.waitForRest();
    else finishProgram();
    return isSupervised ? launchSupervisor(program) : startChild(program, flags, gate);
  };
  const child = taken?.child ?? launchIt();
  theirs.close();
  gate?.failure.writeEnd.close();
  const conversation: Conversation = { child, program, socket: ours };
  // From here on the program belongs to what is launched.
  prepared.handOver();
  const state = (pid: number, status: State["status"]): State => ({
    ociVersion: OCI_VERSION,
    id: options.id,
    status,
    pid,
    bundle,
    annotations: configuration.annotations,
  });
  return leadToExec(conversation, {
    hasTerminal: process.terminal === true,
    isSupervised,
    begin: (found) => {
      let container: { pid: number; pidfd: FileDescriptor } = child;
      const meetFirst = () => {
        if (!isSupervised || container !== child) return;
        container = explainingRefusal(flags, () => awaitFirst(conversation, built.first));
        found(container);
      };
      // Nobody needs to know the container's process before its maps are written, unless something is done with it.
      const meetsLate = helpers !== undefined && options.onNamespaces === undefined;
      if (!meetsLate) meetFirst();
      if (needsIntermediate(namespaces)) {
        if (intermediateMakesUserNamespace(namespaces)) {
          expectByte(conversation);
          writeIdMap(container.pid, idMap, privileged);
          sendByte(conversation);
        }
        container = awaitSuccessor(conversation, built.container, isSupervised ? container : undefined);
        found(container);
      }
      if (makesUserNamespace && !intermediateMakesUserNamespace(namespaces)) {
        const awaitHelpers =
          helpers === undefined
            ? beginIdMap(container.pid, idMap, privileged)
            : () => helpers.finish(conversation.child, program);
        whileMapsAreWritten(meetFirst, awaitHelpers, (awaitMaps) => {
          if (!isFinishedLater) return;
          const { number } = container.pidfd;
          const found = { user: number, network: number, mount: undefined };
          tellNamespaces(options, found, container.pid, conversation, isSupervised);
          let hasBegun = false;
          finishProgram(
            beginsEarly
              ? () => {
                  program.extend();
                  if (!hasBegun) {
                    awaitMaps();
                    whileItLives(conversation, () => options.beforeGoingOn?.());
                  }
                  hasBegun = true;
                  sendByte(conversation);
                }
              : undefined,
          );
          program.finish();
        });
        if (isFinishedLater && !beginsEarly) whileItLives(conversation, () => options.beforeGoingOn?.());
        sendByte(conversation);
      }
      if (waitsForNamespaces) {
        const { number } = container.pidfd;
        using sent = isHidden(namespaces) ? receiveNamespaces(conversation) : undefined;
        const found = {
          user: joinedUserNamespace ?? number,
          network: sent?.network.number ?? number,
          mount: sent?.mount.number,
        };
        expectByte(conversation);
        tellNamespaces(options, found, container.pid, conversation, isSupervised);
        whileItLives(conversation, () => options.beforeGoingOn?.());
        sendByte(conversation);
      }
      const exchange = { send: () => sendByte(conversation), expect: () => expectByte(conversation) };
      for (const copyUp of copyUps) copyUp.run(exchange);
      if (stateFile !== undefined) {
        expectByte(conversation);
        runHostHooks(configuration.hooks?.prestart ?? [], state(container.pid, "creating"));
        runHostHooks(configuration.hooks?.createRuntime ?? [], state(container.pid, "creating"));
        stateFile.write(JSON.stringify(state(container.pid, "created")));
        sendByte(conversation);
      }
    },
    finish: (container) => {
      if (listener !== undefined) {
        passListener(conversation, built.listener, container, listener, state(container.pid, "creating"));
      }
      if (gate === undefined) {
        options.meanwhile?.(container.pid);
        awaitExec(conversation);
        return;
      }
      expectByte(conversation);
      gate.onCreated(container.pid, program);
      sendByte(conversation);
    },
  });
}

function tellNamespaces(
  { onNamespaces }: LaunchContainerOptions,
  namespaces: ContainerNamespaces,
  container: number,
  conversation: Conversation,
  isSupervised: boolean,
): void {
  const pids = { container, supervisor: isSupervised ? conversation.child.pid : undefined };
  whileItLives(conversation, () => onNamespaces?.(namespaces, pids));
}

/** What a process that hides sends of its namespaces, in this order. */
const SENT_NAMESPACES = ["network", "mount"] as const;

function receiveNamespaces(conversation: Conversation) {
  sendByte(conversation);
  using received = new DisposableStack();
  const [network, mount] = SENT_NAMESPACES.map(() => {
    const descriptor = receiveDescriptor(conversation.socket.number);
    if (descriptor === undefined) throw failureOf(conversation);
    return received.use(descriptor);
  });
  if (network === undefined || mount === undefined) throw new Error("two namespaces are sent");
  const kept = received.move();
  return { network, mount, [Symbol.dispose]: () => kept.dispose() };
}

/** Does something with the container, and when that fails because it is dead, says what it died of instead. */
function whileItLives(conversation: Conversation, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof BunkerError && error.errno === Errno.ESRCH) throw failureOf(conversation);
    throw error;
  }
}

function startChild(program: LaunchProgram, flags: number, gate: LaunchContainerOptions["gate"]): ObservedProcess {
  return explainingRefusal(flags, () => {
    if (gate === undefined) return launch(program, { flags });
    const { readEnd, writeEnd } = gate.failure;
    return { ...launchReportingTo(writeEnd.number, program, { flags }), errors: readEnd };
  });
}

function supplementaryGroups(
  configuration: Configuration,
  map: IdMap | undefined,
  privileged: boolean,
): "set" | "keep" {
  const asked = configuration.process?.user.additionalGids ?? [];
  const keep = configuration.annotations?.["run.oci.keep_original_groups"] === "1";
  const permitted =
    map === undefined
      ? readIfThere("/proc/self/setgroups")?.trim() !== "deny" && privileged
      : permitsSetGroups(map, privileged);
  if (permitted) return keep && asked.length === 0 ? "keep" : "set";
  if (asked.length === 0) return "keep";
  throw new BunkerError({
    code: "groups_not_permitted",
    operation: "set supplementary groups",
    object: asked.join(","),
    reason: "a user namespace with a single group id has none",
    hint: "an administrator can give subordinate ids in /etc/subuid and /etc/subgid",
  });
}
