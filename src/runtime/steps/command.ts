/** Finding and executing the container's command (`process.args`) along PATH; execve(2), exec(3). */
import type { Slot } from "../../launch/operation.ts";
import { OWN_PID_VARIABLE } from "../../launch/own-pid-variable.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { DECIMAL_SIZE, writeDecimal } from "../../launch/write-decimal.ts";
import { hostArchitecture } from "../../sys/architecture.ts";
import { Errno } from "../../sys/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { encodeUtf8 } from "../../sys/utf8.ts";

const { O_CLOEXEC, O_DIRECTORY, O_PATH } = OpenFlag;
/** Where the command stands in the arguments of an init: `NAME -- COMMAND`. */
export const COMMAND_OF_INIT = 2;
const X_OK = 1;
/** Bytes; no file has a longer name. */
const LONGEST_NAME = 255;
const AT_EACCESS = 0x200;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The paths at which a command may be, in the order in which they are tried. */
export function commandCandidates(command: string, environment: readonly string[]): string[] {
  if (command.includes("/")) return [command];
  // Without a name a directory of PATH itself would be meant.
  if (command === "" || encodeUtf8(command).length > LONGEST_NAME) return [];
  const path = environment.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? DEFAULT_PATH;
  return path.split(":").map((directory) => `${directory === "" ? "." : directory}/${command}`);
}

/** Ends the program: permission denied if some candidate was there without it, else not found. */
function failToFind(program: LaunchProgram, command: string, denied: Slot): void {
  const object = command === "" ? '""' : command;
  const absent = program.label("not found");
  program.branch(denied, "equal", 0, absent);
  program.fail(
    {
      code: "command_not_executable",
      operation: "execute",
      object,
      exitStatus: 126,
      hint: "the file must be executable for the container's user, and not on a noexec mount",
    },
    Errno.EACCES,
  );
  program.place(absent);
  const reason = command.includes("/") ? "no such file in the container" : "executable file not found in $PATH";
  program.fail({ code: "command_not_found", operation: "execute", object, reason, exitStatus: 127 }, Errno.ENOENT);
}

/**
 * Looks for the first candidate that can be executed. Fails now if there is none, so that `create` tells and not `start`.
 * @param whenFound emits what is to be done with the address of its path
 */
export function checkCommand(
  program: LaunchProgram,
  command: string,
  candidates: readonly string[],
  whenFound?: (path: Slot) => void,
): void {
  const found = program.label("found");
  const result = program.slot("access");
  const denied = program.slot("denied");
  program.set(denied, 0);
  const rows = candidates.map((candidate) => [program.text(candidate)] as const);
  program.forEach(["candidate"], rows, (path) => {
    const next = program.label();
    const permitted = program.label("permitted");
    const fit = program.label("fit");
    const unfit = program.label("unfit");
    const what = { operation: "look for", object: command };
    program.call("faccessat2", [AT_FDCWD, path, X_OK, AT_EACCESS], what, {
      result,
      ignore: "any",
      onSuccess: permitted,
    });
    program.branch(result, "equal", -Errno.EACCES, unfit);
    program.jump(next);
    program.place(permitted);
    // A directory may be "executable", but only to be searched.
    program.call("openat", [AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC], what, {
      result,
      ignore: "any",
      onIgnored: fit,
    });
    program.call("close", [result], what);
    program.place(unfit);
    program.set(denied, 1);
    program.jump(next);
    program.place(fit);
    whenFound?.(path);
    program.jump(found);
    program.place(next);
  });
  failToFind(program, command, denied);
  program.place(found);
  program.release(result);
  program.release(denied);
}

/** The environment with room for a process id where one that is given sockets is to find its own. */
function withRoomForPid(environment: readonly string[]): string[] {
  const placeholder = OWN_PID_VARIABLE + " ".repeat(DECIMAL_SIZE);
  return environment.map((entry) => (entry.startsWith(OWN_PID_VARIABLE) ? placeholder : entry));
}

/** The environment's address; a process that is given sockets finds its own id in it. */
function placeEnvironment(program: LaunchProgram, environment: readonly string[], hasSockets: boolean): number {
  const entry = environment.findIndex((text) => text.startsWith(OWN_PID_VARIABLE));
  if (!hasSockets || entry < 0) return program.texts(environment);
  const texts = withRoomForPid(environment);
  const pid = program.slot("own pid");
  program.call("getpid", [], { operation: "ask for the own process id" }, { result: pid });
  // The same text for the same words.
  writeDecimal(program, pid, program.text(texts[entry] ?? "") + OWN_PID_VARIABLE.length);
  program.release(pid);
  return program.texts(texts);
}

/**
 * Executes the first candidate that is there; ends the program.
 * @param hasSockets whether descriptors are passed on
 */
export function executeCommand(
  program: LaunchProgram,
  args: readonly string[],
  environment: readonly string[],
  candidates: readonly string[],
  hasSockets: boolean,
): void {
  const command = args[0] ?? "";
  const argv = program.texts(args);
  const envp = placeEnvironment(program, environment, hasSockets);
  const result = program.slot("exec");
  const denied = program.slot("denied");
  program.set(denied, 0);
  const foreign = program.label("foreign");
  const rows = candidates.map((candidate) => [program.text(candidate)] as const);
  program.forEach(["candidate"], rows, (path) => {
    const next = program.label();
    const isDenied = program.label("denied");
    const what = { operation: "execute", object: command };
    program.call("execve", [path, argv, envp], what, { result, ignore: "any" });
    program.branch(result, "equal", -Errno.ENOENT, next);
    program.branch(result, "equal", -Errno.ENOTDIR, next);
    program.branch(result, "equal", -Errno.EACCES, isDenied);
    program.branch(result, "equal", -Errno.ENOEXEC, foreign);
    program.fail({ ...what, code: "command_not_executable", exitStatus: 126 }, result);
    program.place(isDenied);
    program.set(denied, 1);
    program.place(next);
  });
  failToFind(program, command, denied);
  program.place(foreign);
  program.fail(
    {
      code: "command_not_executable",
      operation: "execute",
      object: command,
      exitStatus: 126,
      hint: `it is neither a program for this machine (${hostArchitecture()}) nor a script that begins with #!`,
    },
    Errno.ENOEXEC,
  );
}

/**
 * Executes an init program, which then starts the command; ends the program. The init does no search, so the command is
 * looked up here and its path put into the arguments.
 * @param init the descriptor of the program file
 * @param args of the init: its name, `--`, and the command with its arguments
 * @param hasSockets whether descriptors are passed on; the init then tells the command its process id
 */
export function executeInit(
  program: LaunchProgram,
  init: number,
  args: readonly string[],
  environment: readonly string[],
  candidates: readonly string[],
  hasSockets: boolean,
): void {
  const argv = program.texts(args);
  checkCommand(program, args[COMMAND_OF_INIT] ?? "", candidates, (path) =>
    program.store64(path, argv + 8 * COMMAND_OF_INIT),
  );
  const envp = program.texts(hasSockets ? withRoomForPid(environment) : environment);
  program.call("execveat", [init, program.text(""), argv, envp, AT_EMPTY_PATH], {
    operation: "execute the container's init",
  });
  program.call("exit_group", [1], { operation: "leave" });
}
