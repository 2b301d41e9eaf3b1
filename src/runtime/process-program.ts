/*
 * What the launch programs of a container's first process (container-program.ts) and of further ones (launch-process.ts)
 * have in common.
 */
import type { Slot } from "../launch/operation.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { wordsSize } from "../launch/words-size.ts";
import { Errno } from "../sys/errno.ts";
import { AT_FDCWD, OPEN_HOW_SIZE, OpenFlag, openHowBytes, Resolve } from "../sys/open.ts";
import type { Configuration, Process } from "./configuration/configuration.ts";
import { COMMAND_OF_INIT, checkCommand, commandCandidates, executeCommand, executeInit } from "./steps/command.ts";
import { useTerminal } from "./steps/console.ts";
import { closeSlot, writeFile } from "./steps/files.ts";
import {
  becomeUser,
  dieWithParent,
  dropBoundingSet,
  installSeccompFilter,
  joinNewKeyring,
  NO_CAPABILITIES,
  type SeccompFilter,
  setCapabilities,
  setIoPriority,
  setNoNewPrivileges,
  setResourceLimits,
  setScheduler,
} from "./steps/process-attributes.ts";

/** How a process is set up that is not said in the configuration. */
export interface ProcessSetting {
  /** The program's end of the socket pair. */
  readonly socket: number;
  /** Descriptors of the runtime's that the child must not keep open: its end of the socket pair. */
  readonly closed: readonly number[];
  /** Descriptors that become 0, 1 and 2 when there is no terminal; undefined keeps the runtime's own. */
  readonly standardStreams: readonly [number, number, number] | undefined;
  /** Which of 0, 1 and 2 are pipes or sockets made for the container: its user gets them, to open them by path too. */
  readonly ownedStreams: readonly number[];
  /** Descriptors from 3 on that the container gets. */
  readonly preservedDescriptors: number;
  /** A program file that is executed as process 1 and starts the command; `process.args` begin with its name and "--". */
  readonly init: number | undefined;
  readonly seccomp: SeccompFilter | undefined;
  /** Whether the filter has a listener, so that it is installed before the gate and its descriptor can be fetched. */
  readonly seccompListener: boolean;
  readonly supplementaryGroups: "set" | "keep";
  readonly newKeyring: boolean;
  readonly dieWithParent: boolean;
  /** A FIFO's read end that the program waits at before its exec. */
  readonly gate: number | undefined;
  /** AppArmor's interface, below /proc/thread-self. */
  readonly apparmorFile: () => "attr/apparmor/exec" | "attr/exec";
}

/** Emits the wait for the runtime's byte. Exits quietly when the runtime is gone. */
export function waitForRuntime(program: LaunchProgram, descriptor: number, operation: string): void {
  const count = program.slot("count");
  const buffer = program.reserve(8);
  const goOn = program.label("go on");
  program.call("read", [descriptor, buffer.address, 1], { operation }, { result: count });
  program.branch(count, "equal", 1, goOn);
  program.call("exit_group", [1], { operation: "leave" });
  program.place(goOn);
  program.release(count);
}

/** Emits a byte for the runtime. */
export function tellRuntime(program: LaunchProgram, socket: number, operation: string): void {
  program.call("write", [socket, program.text("."), 1], { operation });
}

/** Marks everything close-on-exec that was inherited, but for the preserved descriptors; close_range(2). */
export function closeOnExec(
  program: LaunchProgram,
  setting: Pick<ProcessSetting, "closed" | "preservedDescriptors">,
): void {
  const CLOSE_RANGE_CLOEXEC = 4;
  const F_SETFD = 2;
  const what = { operation: "mark descriptors close-on-exec" };
  program.call("close_range", [3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC], what);
  for (let number = 3; number < 3 + setting.preservedDescriptors; number++) {
    program.call("fcntl", [number, F_SETFD, 0], { operation: "preserve file descriptor", object: String(number) });
  }
  for (const descriptor of setting.closed) program.call("close", [descriptor], what);
}

/** Closes what is left from the setup, so that only the preserved descriptors and the error pipe remain. */
function closeSetupDescriptors(program: LaunchProgram, setting: ProcessSetting): void {
  let first = 3 + setting.preservedDescriptors;
  const bound = program.slot("bound");
  const what = { operation: "close descriptors" };
  if (setting.init !== undefined) {
    program.call("dup3", [setting.init, first, OpenFlag.O_CLOEXEC], what, { ignore: [Errno.EINVAL] });
    first++;
  }
  program.add(bound, program.errorDescriptor, -1);
  // EINVAL: the error descriptor is the first itself, and the range before it empty.
  program.call("close_range", [first, bound, 0], what, { ignore: [Errno.EINVAL] });
  program.add(bound, program.errorDescriptor, 1);
  program.call("close_range", [bound, 0xffff_ffff, 0], what);
  program.release(bound);
}

/** The operation that fails where the working directory is no use. */
export const CHANGE_DIRECTORY = "change to directory";

/** Changes the directory without following the magic links of /proc, which could lead back to the host. */
function changeDirectory(program: LaunchProgram, directory: string, ignore: readonly number[]): void {
  const what = { operation: CHANGE_DIRECTORY, object: directory };
  const done = program.label();
  const opened = program.slot("cwd");
  const { O_PATH, O_DIRECTORY, O_CLOEXEC } = OpenFlag;
  const how = program.bytes(openHowBytes(O_PATH | O_DIRECTORY | O_CLOEXEC, 0, Resolve.NO_MAGICLINKS));
  program.call("openat2", [AT_FDCWD, program.text(directory), how, OPEN_HOW_SIZE], what, {
    result: opened,
    ...(ignore.length === 0 ? {} : { ignore, onIgnored: done }),
  });
  program.call("fchdir", [opened], what, ignore.length === 0 ? {} : { ignore });
  closeSlot(program, opened);
  program.place(done);
}

function writeLabel(program: LaunchProgram, proc: Slot, file: string, label: string, what: string): void {
  writeFile(program, proc, `thread-self/${file}`, label, {
    operation: `set the ${what}`,
    object: label,
    hint: "the host must have it loaded, and permit the change",
  });
}

/**
 * The attributes of a process from its limits to its exec; shared by the container's first process and by `exec`.
 * @param proc the host's /proc
 * @param terminal the slot of the terminal to take, if there is one
 * @param beforeExec emits what comes between the gate and the exec
 */
export function emitProcess(
  program: LaunchProgram,
  process: Process,
  setting: ProcessSetting,
  context: {
    readonly proc: Slot;
    readonly terminal: Slot | undefined;
    readonly listener: Slot;
    readonly beforeExec: () => void;
  },
): void {
  const { proc, terminal } = context;
  const capabilities = process.capabilities ?? NO_CAPABILITIES;
  const user = process.user;
  if (terminal !== undefined) useTerminal(program, terminal);
  for (const stream of terminal === undefined ? setting.ownedStreams : [0]) {
    const what = { operation: "give the standard streams to the container's user" };
    program.call("fchown", [stream, user.uid, terminal === undefined ? user.gid : -1], what, { ignore: "any" });
  }
  if (setting.newKeyring) joinNewKeyring(program);
  if (process.apparmorProfile !== undefined && process.apparmorProfile !== "") {
    writeLabel(program, proc, setting.apparmorFile(), `exec ${process.apparmorProfile}`, "AppArmor profile");
  }
  if (process.selinuxLabel !== undefined && process.selinuxLabel !== "") {
    writeLabel(program, proc, "attr/exec", process.selinuxLabel, "SELinux label");
  }
  if (process.scheduler !== undefined) setScheduler(program, process.scheduler);
  if (process.ioPriority !== undefined) setIoPriority(program, process.ioPriority);
  setResourceLimits(program, process.rlimits ?? []);
  // What a user may not enter, it may after the change of user; the second attempt below then counts.
  changeDirectory(program, process.cwd, [Errno.EACCES, Errno.EPERM]);

  const installFilter = () => {
    if (setting.seccomp === undefined) return;
    if (!setting.seccompListener) return installSeccompFilter(program, setting.seccomp);
    const listener = program.slot("listener");
    installSeccompFilter(program, setting.seccomp, { result: listener });
    program.add(context.listener, listener, 1);
    program.release(listener);
  };
  const noNewPrivileges = process.noNewPrivileges === true;
  // Without no-new-privileges a filter needs CAP_SYS_ADMIN, which the container will not have.
  if (!noNewPrivileges) installFilter();
  dropBoundingSet(program, process.capabilities);
  becomeUser(program, { ...user, umask: user.umask ?? 0o022 }, setting.supplementaryGroups);
  setCapabilities(program, capabilities);
  changeDirectory(program, process.cwd, []);
  if (setting.dieWithParent) dieWithParent(program);
  if (noNewPrivileges) setNoNewPrivileges(program);
  const command = commandOf(process, setting.init !== undefined);
  const candidates = commandCandidates(command, process.env ?? []);
  if (setting.gate !== undefined) checkCommand(program, command, candidates);
  if (noNewPrivileges && setting.seccompListener) installFilter();
  if (setting.gate !== undefined) {
    tellRuntime(program, setting.socket, "tell that the container is created");
    waitForRuntime(program, setting.socket, "wait for being recorded");
    waitForRuntime(program, setting.gate, "wait for start");
    program.handOver();
  }
  context.beforeExec();
  if (noNewPrivileges && !setting.seccompListener) installFilter();
  closeSetupDescriptors(program, setting);
  const { preservedDescriptors } = setting;
  const environment = process.env ?? [];
  if (setting.init === undefined) {
    executeCommand(program, process.args, environment, candidates, preservedDescriptors > 0);
  } else {
    const init = 3 + preservedDescriptors;
    executeInit(program, init, process.args, environment, candidates, preservedDescriptors > 0);
  }
}

/** Emits the standard streams: every process of a container starts with its own. */
export function emitStandardStreams(program: LaunchProgram, setting: Pick<ProcessSetting, "standardStreams">): void {
  for (const [number, descriptor] of (setting.standardStreams ?? []).entries()) {
    const what = { operation: "set up standard stream", object: String(number) };
    program.call("dup3", [descriptor, number, 0], what, { ignore: [Errno.EINVAL] });
  }
}

/** The name or path of the program that a process is to execute, by an init or without one. */
function commandOf({ args }: Process, hasInit: boolean): string {
  return args[hasInit ? COMMAND_OF_INIT : 0] ?? "";
}

/**
 * How large the arena of a process's launch program has to be. Arguments and environment alone may be 6 MiB (execve(2)),
 * but rarely are more than a few KiB.
 * @param hasInit whether there is an init
 * @param configuration of the container, for its first process
 */
export function arenaSize(process: Process, hasInit: boolean, configuration?: Configuration): number {
  const BASE = 2 ** 18;
  const FOR_EACH_GROUP = 4;
  const FOR_EACH_MEMBER = 8192;
  const environment = process.env ?? [];
  const candidates = commandCandidates(commandOf(process, hasInit), environment);
  const groupCount = process.user.additionalGids?.length ?? 0;
  let size = BASE + wordsSize(process.args) + wordsSize(environment) + wordsSize(candidates);
  size += FOR_EACH_GROUP * groupCount;
  if (configuration === undefined) return size;
  const { hooks = {}, linux = {}, mounts = [] } = configuration;
  const { devices = [], maskedPaths = [], readonlyPaths = [], sysctl = {} } = linux;
  let members = mounts.length + devices.length + maskedPaths.length + readonlyPaths.length + Object.keys(sysctl).length;
  for (const list of Object.values(hooks)) {
    for (const { path, args = [], env = [] } of list ?? []) {
      size += wordsSize([path, ...args, ...env]);
      members += 1 + args.length + env.length;
    }
  }
  return size + FOR_EACH_MEMBER * members;
}
