/*
 * `unshare`: a command of the host's, as root of the caller's own user namespace.
 *
 * Files of containers belong to subordinate ids, which only a process in a namespace that maps them can read, change or
 * give away; and only root of such a namespace may mount. The command gets a mount namespace, too, so what it mounts is
 * gone when it has ended; everything else is the host's. It shares our terminal and our process group, so what is typed
 * there reaches it without us, and we must not die of it before it does.
 */

import { readFailure } from "../launch/launch.ts";
import { LaunchProgram } from "../launch/program.ts";
import { resetSignals } from "../launch/reset-signals.ts";
import { SignalPipe } from "../launch/signal-pipe.ts";
import { wordsSize } from "../launch/words-size.ts";
import { callersIdMap } from "../runtime/id-map/callers-id-map.ts";
import { isPrivileged } from "../runtime/id-map/write-id-map.ts";
import { launchAsRoot } from "../runtime/launch-as-root.ts";
import { dieWithParent } from "../runtime/steps/process-attributes.ts";
import { CloneFlag } from "../sys/clone.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import { MountFlag } from "../sys/mount.ts";
import { type ProcessEnd, waitForExit } from "../sys/process.ts";
import { Event, Reactor } from "../sys/reactor.ts";
import { Signal } from "../sys/signal.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { dataDirectory } from "./data-directory.ts";

const PROGRAM_SIZE = 65536;

/** What a terminal sends to its whole process group, the command included: caught here, and not passed on. */
const FROM_TERMINAL: readonly number[] = [Signal.SIGINT, Signal.SIGQUIT];
const FORWARDED: readonly number[] = [Signal.SIGTERM, Signal.SIGHUP, Signal.SIGUSR1, Signal.SIGUSR2, Signal.SIGALRM];

/**
 * Runs a command and waits for it.
 * @param command its words; empty for the caller's shell
 * @param onWarning receives what about the caller's ids should be known
 * @returns its exit status; 128 plus the signal's number if it was killed
 * @throws BunkerError `already_root`, `command_not_found`, `command_not_executable`, `no_user_namespace`,
 * `id_map_refused`
 */
export function unshare(command: readonly string[], onWarning: (message: string) => void): number {
  if (isPrivileged()) {
    throw new BunkerError({
      code: "already_root",
      operation: "enter a user namespace",
      reason: "this is for ordinary users, and you are root here",
    });
  }
  const map = callersIdMap();
  map.warnings.forEach(onWarning);
  const words = command.length === 0 ? [process.env["SHELL"] || "/bin/sh"] : command;
  const path = findCommand(words[0] ?? "");
  const environment = Object.entries({ ...process.env, ...namespaceEnvironment() }).map(
    ([name, value]) => `${name}=${value}`,
  );
  using program = new LaunchProgram(PROGRAM_SIZE + wordsSize([...words, ...environment]));
  using signals = new SignalPipe([...FROM_TERMINAL, ...FORWARDED]);
  const child = launchAsRoot(program, map, CloneFlag.NEWNS, () => {
    program.call("mount", [0, program.text("/"), 0, MountFlag.MS_REC | MountFlag.MS_SLAVE, 0], {
      operation: "separate the mounts from the host's",
    });
    dieWithParent(program);
    resetSignals(program);
    const execute = { operation: "execute", object: path };
    program.call(
      "execve",
      [program.text(path), program.texts(words), program.texts(environment)],
      { ...execute, code: "command_not_executable", exitStatus: 126 },
      { ignore: [Errno.ENOENT] },
    );
    program.fail({ ...execute, code: "command_not_found", exitStatus: 127 }, Errno.ENOENT);
  });
  using pidfd = child.pidfd;
  using errors = child.errors;
  const failure = readFailure(child, program);
  errors.close();
  if (failure !== undefined) {
    waitForExit(child.pid);
    throw failure;
  }
  using reactor = new Reactor();
  reactor.add(signals.descriptor, Event.IN, () => {
    for (let signal = signals.next(); signal !== undefined; signal = signals.next()) {
      if (FORWARDED.includes(signal)) systemCall(SystemCall.pidfd_send_signal, pidfd.number, signal, 0, 0);
    }
  });
  let end: ProcessEnd | undefined;
  reactor.add(pidfd.number, Event.IN, () => {
    end = waitForExit(child.pid);
    reactor.stop();
  });
  reactor.run();
  const ended = end ?? waitForExit(child.pid);
  return "exitCode" in ended ? ended.exitCode : 128 + ended.signal;
}

/** Where a command is that may lie along PATH. */
function findCommand(name: string): string {
  if (name.includes("/")) return name;
  const path = Bun.which(name);
  if (path !== null) return path;
  throw new BunkerError({
    code: "command_not_found",
    operation: "execute",
    object: name === "" ? '""' : name,
    reason: "executable file not found in $PATH",
    exitStatus: 127,
  });
}

/**
 * What tells programs in the namespace where they are: Podman's and Buildah's variables, which scripts know; and where
 * the caller's data is, since who is root looks for it elsewhere.
 */
function namespaceEnvironment(): Record<string, string> {
  const data = dataDirectory();
  const { XDG_RUNTIME_DIR } = process.env;
  return {
    XDG_DATA_HOME: data.slice(0, data.lastIndexOf("/")),
    CONTAINERS_GRAPHROOT: data,
    ...(XDG_RUNTIME_DIR === undefined ? {} : { CONTAINERS_RUNROOT: `${XDG_RUNTIME_DIR}/bunker` }),
    _CONTAINERS_USERNS_CONFIGURED: "done",
    _CONTAINERS_ROOTLESS_UID: String(process.geteuid?.()),
    _CONTAINERS_ROOTLESS_GID: String(process.getegid?.()),
  };
}
