/*
 * Theory of operation: the life of a container's process up to its exec, as one launch program.
 *
 * The runtime and the program talk over one socket pair, in single bytes; each side waits for the other at most at
 * these points, in this order, and a side that finds the socket closed gives up:
 *
 *   program -> runtime   the container's process is cloned                          (under a supervisor)
 *   program -> runtime   the user namespace is made                                 (if the clone did not make it)
 *   runtime -> program   the id maps of the new user namespace are written          (with a new user namespace)
 *   runtime -> program   it is known                                                (if it hides in others' namespaces, and
 *   program -> runtime   its namespaces, as descriptors                              something is to be done in them)
 *   program -> runtime   the namespaces are made                                    (if something is to be done in them
 *   runtime -> program   it has been done                                            and the id maps were not waited for)
 *   runtime -> program   the rest of the program is there, or more of it           (where it begins before; see below)
 *   both                 copies into new tmpfs mounts, see launch/remote-calls.ts  (for each mount with tmpcopyup)
 *   program -> runtime   everything is mounted                                      (with hooks for that moment)
 *   runtime -> program   the prestart and createRuntime hooks have run, and the container's state is in its file
 *   program -> runtime   the terminal's master, as a descriptor                     (with a terminal)
 *   program -> runtime   created: only the gate and the exec are left               (with a gate)
 *   runtime -> program   the container is on record                                 (with a gate)
 *   gate   -> program    start                                                      (with a gate)
 *
 * The gate is a FIFO that a later command opens and writes to; without it the program goes on to its exec. The record
 * comes first, because from the gate on nobody waits for the process: a runtime that is killed earlier takes it along,
 * and one that is killed later has left word of it. That exec succeeded is seen by the error descriptor closing.
 *
 * Emitting the program takes the runtime about as long as executing it takes the child. So where nothing stands against
 * it, the runtime hands the first part over, up to the mounts and devices, and emits the second while the child obeys;
 * where the process was cloned before that (begun-launch.ts), it hands over what mounts the root file system before, and what
 * leaves the host's after that.
 *
 * Order within the program: namespaces; the root file system and all mounts, while the host's paths can still be
 * reached; then pivot_root, which leaves the host behind; then the process's attributes, from those that need most
 * rights to those that take them away; and before the exec every descriptor is closed that the configuration does not
 * name, so that no path through /proc/self/fd can reach the host from a hostile cwd or command (CVE-2024-21626).
 *
 * Under a supervisor the launched process is not the container's: it clones that one as its own child, with the flags
 * of the container's clone, starts the helpers that write its id maps, and executes another program, which from then on
 * is the container's parent and learns of its end, however long the runtime lives. It shares the slots with the
 * container's process, and so uses none of the same after the clone.
 *
 * Memory: the child has a copy of the runtime's memory until its exec, of which most is left out
 * (launch/private-memory.ts). Nobody can look into it: a new pid namespace has no other process, and where the program
 * joins one it makes itself not dumpable first. What becomes a supervisor shares the runtime's memory until its exec: it
 * is on the host's side, and there copying is all that a copy would do.
 */

import type { Slot } from "../launch/operation.ts";
import { LaunchProgram } from "../launch/program.ts";
import { resetSignals } from "../launch/reset-signals.ts";
import { sendDescriptor } from "../launch/send-descriptor.ts";
import { CloneFlag } from "../sys/clone.ts";
import { Errno } from "../sys/errno.ts";
import { MNT_DETACH, MOVE_MOUNT_F_EMPTY_PATH, MountAttribute, MountFlag } from "../sys/mount.ts";
import { AT_FDCWD, OpenFlag } from "../sys/open.ts";
import { Signal } from "../sys/signal.ts";
import type { WindowSize } from "../sys/terminal.ts";
import { parameterPath } from "./configuration/check.ts";
import type { Configuration, Hook, Process } from "./configuration/configuration.ts";
import { NamespaceFlag, type NamespaceType, namespaceFile } from "./configuration/namespaces.ts";
import { parsePropagation } from "./mount-options.ts";
import { cloneSharedSources, emitMounts, fetchForeignMounts, type PlannedMount } from "./planned-mounts.ts";
import {
  closeOnExec,
  emitProcess,
  emitStandardStreams,
  type ProcessSetting,
  tellRuntime,
  waitForRuntime,
} from "./process-program.ts";
import { makeTerminal } from "./steps/console.ts";
import type { CopyUp } from "./steps/copy-up.ts";
import { provideDevices } from "./steps/devices.ts";
import { closeSlot, openDirectory, writeFile } from "./steps/files.ts";
import { runHooksInContainer } from "./steps/hooks.ts";
import { startLoopback } from "./steps/loopback.ts";
import { cloneTree, setAttributes } from "./steps/mounts.ts";
import {
  firstCloneFlags,
  goThroughIntermediate,
  intermediateMakesUserNamespace,
  type NamespacePlan,
  needsIntermediate,
} from "./steps/namespaces.ts";
import { openOrMake } from "./steps/open-or-make.ts";
import { becomeNotDumpable, setMemoryPolicy, setPersonality } from "./steps/process-attributes.ts";
import { makePathsReadOnly, maskPaths } from "./steps/protected-paths.ts";

/** Everything that the program of a container is made from. */
export interface ContainerSetting extends ProcessSetting {
  readonly configuration: Configuration;
  readonly process: Process;
  readonly bundle: string;
  /** The root file system's directory: absolute, and without symbolic links unless `mountRoot` mounts it there. */
  readonly rootPath: string;
  /** Mounts the root file system on `rootPath`; without it the directory itself is the root file system. */
  readonly mountRoot: ((program: LaunchProgram) => void) | undefined;
  /** Mounts what binds have their sources in. */
  readonly mountSources: ((program: LaunchProgram) => void) | undefined;
  readonly mounts: readonly PlannedMount[];
  readonly namespaces: NamespacePlan;
  /** Whether mknod(2) works; see `provideDevices`. */
  readonly canMakeNodes: boolean;
  readonly pivotRoot: boolean;
  /** A file for the state that hooks get on their standard input, with which it waits for the runtime; where there are some. */
  readonly stateDescriptor: number | undefined;
  /**
   * Called when the program may be executed as far as it has been emitted, to where it waits for its rest; undefined
   * where it is not executed before it is finished.
   */
  readonly beginEarly: (() => void) | undefined;
  /** Whether the process waits already, so that smaller parts are worth being handed over. */
  readonly waitsAlready: boolean;
  /** Whether it waits for the runtime as soon as it is in its namespaces. */
  readonly waitsForNamespaces: boolean;
  /** Those that it sends to the runtime then. */
  readonly sentNamespaces: readonly NamespaceType[];
  /**
   * Whether a cgroup namespace is made once more: its root is the cgroup that the process was in when it was made, and
   * the runtime has moved it since.
   */
  readonly renewsCgroupNamespace: boolean;
}

/** The program and what the runtime has to look at in its slots. */
export interface BegunProgram {
  readonly program: LaunchProgram;
  /** The host's /proc in the child. */
  readonly proc: Slot;
  /** The pid of the process that a supervisor has cloned. */
  readonly first: Slot;
  /** The pid of the container's process, if a process in between has cloned it. */
  readonly container: Slot;
  /** The seccomp listener's descriptor in the child, plus one; 0 until the filter is installed. */
  readonly listener: Slot;
  /** What was fetched from other mount namespaces. */
  readonly foreignMounts: ReadonlyMap<PlannedMount, Slot>;
}

/** Emits the sending of a namespace that the process is in. */
function sendNamespace(program: LaunchProgram, socket: number, proc: Slot, type: NamespaceType): void {
  const what = { operation: `hand the ${type} namespace over` };
  const opened = program.slot(`${type} namespace`);
  const path = program.text(`thread-self/ns/${namespaceFile(type)}`);
  program.call("openat", [proc, path, OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC], what, { result: opened });
  sendDescriptor(program, socket, opened, what);
  closeSlot(program, opened);
}

function emitRoot(program: LaunchProgram, setting: ContainerSetting): Slot {
  const { configuration, rootPath } = setting;
  const propagation = parsePropagation(configuration.linux?.rootfsPropagation ?? "rslave");
  const what = {
    operation: "separate the mounts from the host's",
    hint: "the host restricts what user namespaces may do; AppArmor does by kernel.apparmor_restrict_unprivileged_userns=1",
  };
  // Whatever is asked for the container's root, the host must not see its mounts: at least a slave. It sees those below
  // what was cloned before.
  const flag = propagation?.flag === MountFlag.MS_PRIVATE ? MountFlag.MS_PRIVATE : MountFlag.MS_SLAVE;
  program.call("mount", [0, program.text("/"), 0, MountFlag.MS_REC | flag, 0], what);
  setting.mountSources?.(program);
  if (setting.mountRoot === undefined) {
    const path = program.text(rootPath);
    // The tree is cloned and put back rather than bound by mount(2), which would make its own copy shared again.
    const whatRoot = { operation: "bind the root file system", object: rootPath };
    const tree = cloneTree(program, rootPath, true, whatRoot);
    setAttributes(program, tree, { propagation: MountFlag.MS_PRIVATE }, true, whatRoot);
    program.call("move_mount", [tree, program.text(""), AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH], whatRoot);
    closeSlot(program, tree);
  } else {
    setting.mountRoot(program);
  }
  return openDirectory(program, rootPath, "root");
}

/**
 * Whether what a container mounts below its shared binds appears on the host, too, as runc and crun have it. The kernel
 * permits that only in the host's own user namespace; in another one such binds are slaves already.
 */
function takesPartInPropagation({ linux }: Configuration): boolean {
  return parsePropagation(linux?.rootfsPropagation ?? "")?.flag === MountFlag.MS_SHARED;
}

/** Leaves the host's file system: pivot_root(2), or a move and chroot(2) where the root is the initial ramfs. */
function emitPivot(program: LaunchProgram, root: Slot, setting: ContainerSetting): void {
  const here = program.text(".");
  const what = { operation: "change the root file system to", object: setting.rootPath };
  program.call("fchdir", [root], what);
  const hasMountNamespace = setting.namespaces.joined.some(({ type }) => type === "mount");
  if ((setting.namespaces.created & NamespaceFlag.mount) === 0 && !hasMountNamespace) {
    program.call("chroot", [here], what);
  } else if (setting.pivotRoot) {
    program.call("pivot_root", [here, here], {
      ...what,
      hint: "on an initial ramfs the root cannot be pivoted; use --no-pivot",
    });
    // The old root now lies on top of the new one, at "."; it is a slave, so the host keeps its mounts.
    program.call("umount2", [here, MNT_DETACH], { operation: "leave the host's file system" });
  } else {
    program.call("mount", [here, program.text("/"), 0, MountFlag.MS_MOVE, 0], what);
    program.call("chroot", [here], what);
  }
  program.call("chdir", [program.text("/")], what);
}

function hooksOf(
  configuration: Configuration,
  ...kinds: (keyof NonNullable<Configuration["hooks"]>)[]
): readonly Hook[] {
  return kinds.flatMap((kind) => configuration.hooks?.[kind] ?? []);
}

/** Whether the runtime has to act between the mounts and the pivot: hooks of any kind need the state file. */
export function hasHooksAtCreation(configuration: Configuration): boolean {
  return hooksOf(configuration, "prestart", "createRuntime", "createContainer", "startContainer").length > 0;
}

/** What the launched process does when it has cloned the container's, whose pid is in the slot. */
export interface Supervision {
  /** Emits the start of what writes the id maps, where this process does that. */
  readonly startHelpers: ((program: LaunchProgram, container: Slot) => void) | undefined;
  /** Emits the rest, which ends with an exec. */
  readonly becomeSupervisor: (program: LaunchProgram, container: Slot) => void;
}

/** What the beginning of the program is made from. */
export interface ProgramBeginning {
  readonly namespaces: NamespacePlan;
  readonly oomScoreAdj: number | undefined;
  readonly mounts: readonly PlannedMount[];
  /** Bytes of the program's arena. */
  readonly size: number;
}

/**
 * Begins the launch program of a container's first process: up to the wait for the id maps, if it makes a user
 * namespace itself. It may be launched then, and finished while the maps are being written.
 * @param supervision makes the container the child of another process than the runtime
 */
export function beginContainerProgram(
  { namespaces, oomScoreAdj, mounts, size }: ProgramBeginning,
  setting: Pick<ProcessSetting, "closed" | "preservedDescriptors" | "socket">,
  supervision?: Supervision,
): BegunProgram {
  const program = new LaunchProgram(size);
  const first = program.slot("first pid");
  const container = program.slot("container pid");
  const listener = program.slot("listener plus one");

  closeOnExec(program, setting);
  if (supervision !== undefined) {
    const child = program.label("under the supervisor");
    const flags = firstCloneFlags(namespaces) | Signal.SIGCHLD;
    // The launched process may have its stack in the program's memory, which both have.
    const stack = program.reserveStack();
    const stackEnd = stack.address + stack.size;
    program.fork({ operation: "clone the container's process" }, { child, flags, result: first, stackEnd });
    program.apart(() => {
      supervision.startHelpers?.(program, first);
      tellRuntime(program, setting.socket, "tell that the container's process is cloned");
      supervision.becomeSupervisor(program, first);
    });
    program.place(child);
  }
  const proc = openDirectory(program, "/proc", "host's /proc");
  const waitForIdMaps = () => {
    waitForRuntime(program, setting.socket, "wait for the id maps");
    program.call("setresgid", [0, 0, 0], { operation: "become group 0", hint: "id 0 must be in the id map" });
    program.call("setresuid", [0, 0, 0], { operation: "become user 0", hint: "id 0 must be in the id map" });
  };
  if (oomScoreAdj !== undefined) {
    writeFile(program, proc, "self/oom_score_adj", String(oomScoreAdj), {
      operation: "set the OOM score adjustment",
      object: String(oomScoreAdj),
      hint: "an ordinary user may raise it but not lower it",
    });
  }
  let foreignMounts: BegunProgram["foreignMounts"] = new Map();
  if (needsIntermediate(namespaces)) {
    goThroughIntermediate(
      program,
      namespaces,
      proc,
      container,
      () => {
        tellRuntime(program, setting.socket, "tell that the user namespace is made");
        waitForIdMaps();
      },
      () => {
        foreignMounts = fetchForeignMounts(program, mounts);
      },
    );
  }
  const makesUserNamespace = (namespaces.created & NamespaceFlag.user) !== 0;
  if (makesUserNamespace && !intermediateMakesUserNamespace(namespaces)) waitForIdMaps();
  return { program, first, container, listener, proc, foreignMounts };
}

/**
 * Adds the rest of a container's launch program.
 * @returns the copies that the program waits for while it mounts
 */
export function finishContainerProgram(
  { program, listener, proc, foreignMounts }: BegunProgram,
  setting: ContainerSetting,
): readonly CopyUp[] {
  const { configuration, process, namespaces } = setting;
  const linux = configuration.linux ?? {};
  if (setting.waitsForNamespaces) {
    if (setting.sentNamespaces.length > 0) {
      // Not before what a supervisor says, which is read without a look for descriptors.
      waitForRuntime(program, setting.socket, "wait for being known");
      for (const type of setting.sentNamespaces) sendNamespace(program, setting.socket, proc, type);
    }
    tellRuntime(program, setting.socket, "tell that the namespaces are made");
    waitForRuntime(program, setting.socket, "wait for what is done in the namespaces");
  }
  if (setting.renewsCgroupNamespace) {
    program.call("unshare", [CloneFlag.NEWCGROUP], { operation: "make a cgroup namespace" });
  }
  if (namespaces.joined.some(({ type }) => type === "pid")) becomeNotDumpable(program);
  resetSignals(program);
  program.call("setsid", [], { operation: "start a session" }, { ignore: [Errno.EPERM] });
  const umask = program.slot("umask");
  program.call("umask", [0], { operation: "clear the umask" }, { result: umask });
  program.call("chdir", [program.text(setting.bundle)], { operation: "change to the bundle", object: setting.bundle });

  if ((namespaces.created & NamespaceFlag.network) !== 0) startLoopback(program);
  const shared = takesPartInPropagation(configuration) ? cloneSharedSources(program, setting.mounts) : [];
  const root = emitRoot(program, setting);
  const handOver = () => {
    if (setting.beginEarly === undefined) return;
    program.placeSubroutines();
    waitForRuntime(program, setting.socket, "wait for the rest of the program");
    setting.beginEarly();
  };
  if (setting.waitsAlready) handOver();
  const copyUps = emitMounts(
    program,
    { root, rootPath: setting.rootPath },
    setting.socket,
    setting.mounts,
    new Map([...foreignMounts, ...shared]),
  );
  // A /dev bound from the host is complete, and must not be changed.
  if (!setting.mounts.some((mount) => mount.kind === "bind" && mount.destination === "/dev")) {
    provideDevices(program, root, linux.devices ?? [], setting.canMakeNodes);
  }
  handOver();
  if (setting.stateDescriptor !== undefined) {
    tellRuntime(program, setting.socket, "tell that everything is mounted");
    waitForRuntime(program, setting.socket, "wait for the hooks");
  }
  if (process.cwd !== "/") closeSlot(program, openOrMake(program, root, process.cwd, "directory"));
  let terminal: Slot | undefined;
  if (process.terminal === true) {
    const size: WindowSize | undefined =
      process.consoleSize === undefined
        ? undefined
        : { rows: process.consoleSize.height, columns: process.consoleSize.width };
    terminal = makeTerminal(program, root, setting.socket, size, "/dev/console");
  }
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) {
    writeFile(program, proc, `sys/${parameterPath(name)}`, value, {
      operation: "set sysctl",
      object: `${name}=${value}`,
    });
  }
  if (configuration.hostname !== undefined && configuration.hostname !== "") {
    program.call("sethostname", [program.text(configuration.hostname), Buffer.byteLength(configuration.hostname)], {
      operation: "set hostname",
      object: configuration.hostname,
    });
  }
  if (configuration.domainname !== undefined && configuration.domainname !== "") {
    program.call(
      "setdomainname",
      [program.text(configuration.domainname), Buffer.byteLength(configuration.domainname)],
      { operation: "set domainname", object: configuration.domainname },
    );
  }
  makePathsReadOnly(program, root, linux.readonlyPaths ?? []);
  maskPaths(program, root, linux.maskedPaths ?? []);
  const runHooks = (kind: "createContainer" | "startContainer") => {
    if (setting.stateDescriptor === undefined) return;
    runHooksInContainer(program, hooksOf(configuration, kind), setting.stateDescriptor, proc);
  };
  program.call("umask", [umask], { operation: "take the umask back" });
  program.release(umask);
  runHooks("createContainer");
  if (configuration.root?.readonly === true) {
    setAttributes(program, root, { set: MountAttribute.RDONLY }, false, {
      operation: "make the root file system read-only",
    });
  }
  emitPivot(program, root, setting);
  const propagation = parsePropagation(linux.rootfsPropagation ?? "");
  if (propagation !== undefined && propagation.flag !== MountFlag.MS_PRIVATE) {
    const flags = propagation.flag | (propagation.recursive ? MountFlag.MS_REC : 0);
    program.call("mount", [0, program.text("/"), 0, flags, 0], {
      operation: "set the root file system's propagation",
      object: linux.rootfsPropagation,
    });
  }
  if (linux.personality !== undefined) setPersonality(program, linux.personality);
  if (linux.memoryPolicy !== undefined) setMemoryPolicy(program, linux.memoryPolicy);
  if (terminal === undefined) emitStandardStreams(program, setting);
  if (setting.waitsAlready) handOver();
  program.placeSubroutines();
  emitProcess(program, process, setting, {
    proc,
    terminal,
    listener,
    beforeExec: () => runHooks("startContainer"),
  });
  return copyUps;
}
