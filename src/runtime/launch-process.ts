/*
 * Theory of operation: another process in a container that runs (`exec`).
 *
 * A launch program joins the namespaces of the container's first process, all at once by its pidfd, and executes the
 * command with the same operations as the first process did (process-program.ts). Only namespaces that differ from
 * ours are joined, since one's own user namespace cannot be joined again. Who joins a pid namespace is not in it, only
 * its children are: so the program then clones once more, with CLONE_PARENT, and the clone is our child all the same. The
 * two have the same memory, a copy of the runtime's, until the first one ends, which is at once.
 *
 *   program -> runtime   the terminal's master, as a descriptor                     (with a terminal)
 *
 * From the join on, processes of the container could look into this one, which still has the runtime's memory, and
 * through it at the host. It therefore makes itself not dumpable before; the exec of the container's own program undoes
 * that. It never executes a file of the host (CVE-2019-5736), no path of the container is resolved before the root is
 * the container's, and what is open from the host is closed before the exec (CVE-2024-21626).
 */
import { launch } from "../launch/launch.ts";
import { LaunchProgram } from "../launch/program.ts";
import { resetSignals } from "../launch/reset-signals.ts";
import { CloneFlag } from "../sys/clone.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { readText } from "../sys/named-file.ts";
import { namespaceOf } from "../sys/namespace.ts";
import { socketPair } from "../sys/socket.ts";
import type { EnteredConfiguration, Process } from "./configuration/configuration.ts";
import { NamespaceFlag, type NamespaceType, namespaceFile } from "./configuration/namespaces.ts";
import { awaitSuccessor, type Conversation } from "./conversation.ts";
import { isPrivileged } from "./id-map/write-id-map.ts";
import { awaitExec, type LaunchedContainer, leadToExec } from "./launched-container.ts";
import type { passListener } from "./pass-listener.ts";
import { arenaSize, closeOnExec, emitProcess, emitStandardStreams } from "./process-program.ts";
import { isPipe, processSettingOf } from "./process-setting.ts";
import type { CompiledFilter } from "./seccomp/compile.ts";
import type { State } from "./state.ts";
import type { StayingParent } from "./staying-parent.ts";
import { makeTerminal } from "./steps/console.ts";
import { openDirectory, writeFile } from "./steps/files.ts";
import { becomeNotDumpable, setPersonality, setProcessorAffinity } from "./steps/process-attributes.ts";

/** What a further process of a container is made from. */
export interface LaunchProcessOptions {
  /** A descriptor of the cgroup v2 directory that the process begins in; the caller's cgroup without it. */
  readonly cgroup?: number | undefined;
  /** The container's state; `pid` is its first process. */
  readonly state: State & { readonly pid: number };
  /** A descriptor of that process. */
  readonly pidfd: FileDescriptor;
  readonly configuration: EnteredConfiguration;
  readonly process: Process;
  readonly preservedDescriptors: number;
  /** Reaps the process where its container's end waits for that, as nobody else is going to; disposed of by the launch. */
  readonly stayingParent?: StayingParent | undefined;
  /** Descriptors that become the standard streams when there is no terminal; the runtime's own without it. */
  readonly standardStreams?: readonly [number, number, number] | undefined;
  /** The compiled filter of `linux.seccomp`, if that is there; seccomp/filter-of.ts. */
  readonly seccomp: CompiledFilter | undefined;
  /** Has to be there when that filter has a listener. */
  readonly passListener: typeof passListener | undefined;
  readonly onWarning: ((message: string) => void) | undefined;
  readonly onProgram: ((program: LaunchProgram) => void) | undefined;
}

const NAMESPACE_TYPES: readonly NamespaceType[] = ["user", "ipc", "uts", "network", "pid", "cgroup", "time", "mount"];

/**
 * CLONE_NEW* flags of the namespaces in which a process differs from us. Those that were made for its container are not
 * looked at, which takes two calls for each: whoever is in one of them may join it again, unless it is a user namespace.
 */
function differingNamespaces(pid: number, { linux }: EnteredConfiguration): number {
  let flags = 0;
  for (const { type, path } of linux?.namespaces ?? []) {
    if (path === undefined && type !== "user") flags |= NamespaceFlag[type];
  }
  for (const type of NAMESPACE_TYPES) {
    if ((flags & NamespaceFlag[type]) !== 0) continue;
    const file = namespaceFile(type);
    // That the process is gone shows when its pidfd is used.
    if (namespaceOf(pid, file) !== namespaceOf("self", file)) flags |= NamespaceFlag[type];
  }
  return flags;
}

/**
 * Whether the process gets the groups that are asked for, or keeps the caller's: since the container does, or because
 * setgroups(2) is not permitted to a process that has joined it.
 */
function supplementaryGroups(
  pid: number,
  flags: number,
  asked: readonly number[],
  { annotations }: EnteredConfiguration,
): "set" | "keep" {
  if (asked.length === 0 && annotations?.["run.oci.keep_original_groups"] === "1") return "keep";
  const mayHaveRights = (flags & NamespaceFlag.user) !== 0 || isPrivileged();
  if (mayHaveRights && readText(`/proc/${pid}/setgroups`).trim() !== "deny") return "set";
  if (asked.length === 0) return "keep";
  throw new BunkerError({
    code: "groups_not_permitted",
    operation: "set supplementary groups",
    object: asked.join(","),
    reason: "the container's user namespace has a single group id",
  });
}

/**
 * Starts a process in a container and waits until it has executed its command.
 * @throws BunkerError; nothing is left of the process then
 */
export function launchProcess(options: LaunchProcessOptions): LaunchedContainer {
  const { state, pidfd, configuration, process, seccomp } = options;
  const flags = differingNamespaces(state.pid, configuration);
  using cleanup = new DisposableStack();
  const given = cleanup.use(options.stayingParent);
  const stayingParent = (flags & NamespaceFlag.pid) === 0 ? undefined : given;
  const [ours, theirs] = socketPair();
  cleanup.use(ours);
  cleanup.use(theirs);

  const setting = {
    ...processSettingOf(process, seccomp, options.onWarning),
    socket: theirs.number,
    closed: [ours.number, ...(stayingParent?.held ?? [])],
    standardStreams: options.standardStreams,
    ownedStreams: [0, 1, 2].filter((number) => isPipe(options.standardStreams?.[number] ?? number)),
    preservedDescriptors: options.preservedDescriptors,
    init: undefined,
    supplementaryGroups: supplementaryGroups(state.pid, flags, process.user.additionalGids ?? [], configuration),
    newKeyring: true,
    dieWithParent: false,
    gate: undefined,
  };
  const program = new LaunchProgram(arenaSize(process, false));
  const programOwner = cleanup.use(new DisposableStack());
  programOwner.use(program);
  const successor = program.slot("process pid");
  const listener = program.slot("listener plus one");
  stayingParent?.emitFork(program, options.cgroup);
  const proc = openDirectory(program, "/proc", "host's /proc");
  if (process.oomScoreAdj !== undefined) {
    const value = String(process.oomScoreAdj);
    const what = { operation: "set the OOM score adjustment", object: value };
    writeFile(program, proc, "self/oom_score_adj", value, what);
  }
  closeOnExec(program, setting);
  if (process.execCPUAffinity?.initial !== undefined) setProcessorAffinity(program, process.execCPUAffinity.initial);
  becomeNotDumpable(program);
  emitJoin(program, pidfd.number, state.pid, flags);
  if ((flags & NamespaceFlag.pid) !== 0) {
    const child = program.label("in the pid namespace");
    // Who clones does nothing more but end, so that a copy of its memory would be made for nothing.
    const stack = program.reserveStack();
    const memory = { flags: CloneFlag.PARENT | CloneFlag.VM, stackEnd: stack.address + stack.size };
    program.fork({ operation: "clone into the pid namespace" }, { child, result: successor, ...memory });
    program.call("exit_group", [0], { operation: "leave" });
    program.place(child);
  }
  resetSignals(program);
  program.call("setsid", [], { operation: "start a session" }, { ignore: [Errno.EPERM] });
  const size = process.consoleSize;
  const terminal =
    process.terminal === true
      ? makeTerminal(
          program,
          openDirectory(program, "/", "container's root"),
          theirs.number,
          size === undefined ? undefined : { rows: size.height, columns: size.width },
          undefined,
        )
      : undefined;
  if (configuration.linux?.personality !== undefined) setPersonality(program, configuration.linux.personality);
  if (terminal === undefined) emitStandardStreams(program, setting);
  // Of the container's first process it says nothing: config.md, "process".
  if (process.execCPUAffinity?.final !== undefined) setProcessorAffinity(program, process.execCPUAffinity.final);
  emitProcess(program, process, setting, { proc, terminal, listener, beforeExec: () => {} });
  options.onProgram?.(program);

  const { cgroup } = options;
  const child = launch(program, { flags: 0, ...(cgroup === undefined || stayingParent ? {} : { cgroup }) });
  theirs.close();
  const conversation: Conversation = { child, program, socket: ours };
  programOwner.move();
  return leadToExec(conversation, {
    hasTerminal: terminal !== undefined,
    isSupervised: false,
    stayingParent,
    begin: (found) => {
      if (stayingParent !== undefined) found(stayingParent.awaitSuccessor(conversation, successor));
      else if ((flags & NamespaceFlag.pid) !== 0) found(awaitSuccessor(conversation, successor));
    },
    finish: ({ pid, pidfd }) => {
      if (seccomp?.listener !== undefined) {
        if (options.passListener === undefined) throw new Error("nobody passes the listener on");
        options.passListener(conversation, listener, { pid, pidfd }, seccomp.listener, { ...state, pid });
      }
      awaitExec(conversation);
    },
  });
}

/** Joins the namespaces; without one of mounts, the container's root is entered by itself. */
function emitJoin(program: LaunchProgram, pidfd: number, pid: number, flags: number): void {
  const root = (flags & NamespaceFlag.mount) === 0 ? openDirectory(program, `/proc/${pid}/root`, "root") : undefined;
  if (flags !== 0) {
    const what = { operation: "join the namespaces of", object: `process ${pid}` };
    const hint = "only the user who created the container, and root, can enter it";
    const joined = program.label("joined");
    program.call("setns", [pidfd, flags], { ...what, hint }, { ignore: [Errno.ESRCH], onSuccess: joined });
    program.fail({ ...what, reason: "it has ended" }, Errno.ESRCH);
    program.place(joined);
  }
  if ((flags & NamespaceFlag.user) !== 0) {
    // EINVAL: a container without an id 0.
    for (const call of ["setresgid", "setresuid"] as const) {
      program.call(call, [0, 0, 0], { operation: "become the container's root" }, { ignore: [Errno.EINVAL] });
    }
  }
  if (root === undefined) return;
  const what = { operation: "enter the container's root file system" };
  program.call("fchdir", [root], what);
  program.call("chroot", [program.text(".")], what);
}
