/*
 * Bunker itself as root of the user's own user namespace.
 *
 * Files of a container belong to subordinate ids. To give files to them, and to remove such files, the work has to be
 * done inside the namespace that maps them; and since no running JavaScript process can enter one (it has more than
 * one thread), the executable is started again inside: cloned into the new namespace, mapped, and executed. It stays in
 * the host's other namespaces, where no container's process is.
 *
 * It does not outlive this process: what it was about to do, nobody waits for any more.
 *
 * The started command answers through descriptor 3; a failure it reports there as JSON, so that the user sees one error,
 * from here. What it needs to know and others must not see in its words, such as passwords, it reads from descriptor 4.
 */

import * as v from "valibot";
import { readFailure } from "../launch/launch.ts";
import type { Slot } from "../launch/operation.ts";
import { LaunchProgram } from "../launch/program.ts";
import { resetSignals } from "../launch/reset-signals.ts";
import { wordsSize } from "../launch/words-size.ts";
import { lazily } from "../lazily.ts";
import { F_DUPFD_CLOEXEC } from "../sys/duplicate.ts";
import { BunkerError } from "../sys/error.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { knownHomeDirectory } from "../sys/home-directory.ts";
import { MemoryFile } from "../sys/memory-file.ts";
import { nodeFileSystem } from "../sys/node-modules.ts";
import { ownCommand } from "../sys/own-command.ts";
import { type ProcessEnd, waitForExit } from "../sys/process.ts";
import { sendSignal } from "../sys/process-identity.ts";
import { Signal } from "../sys/signal.ts";
import { pipe } from "../sys/socket.ts";
import type { IdMap } from "./id-map/id-mapping.ts";
import { launchAsRoot } from "./launch-as-root.ts";
import { dieWithParent } from "./steps/process-attributes.ts";

const REPORT_DESCRIPTOR = 3;
const INPUT_DESCRIPTOR = 4;
/** The first of those that a command is given besides. */
export const FIRST_PASSED_DESCRIPTOR = 5;
/** Instead of the home directory of users that have none, as in Debian's /etc/passwd; root's would be taken for theirs. */
const NO_HOME = "/nonexistent";
const PROGRAM_SIZE = 262144;

const reportSchema = lazily(() =>
  v.object({
    code: v.string(),
    message: v.string(),
    hint: v.optional(v.string()),
    excerpt: v.optional(v.string()),
  }),
);

/** What a command is given besides its words. */
export interface NamespaceCommand {
  readonly words: readonly string[];
  /** What `readInput` gives it. */
  readonly input?: string;
  /** Variables of its environment, besides this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Descriptors that it gets from 5 on, beside its standard streams. */
  readonly descriptors?: readonly number[];
  /** Bits of `CloneFlag`: the other namespaces to make. */
  readonly flags?: number;
  /** Adds to the launch program what is to be done before; returns further descriptors, the first of which is 5. */
  readonly prepare?: (program: LaunchProgram) => readonly Slot[];
  /** Bytes that `prepare` needs in the launch program. */
  readonly prepareSize?: number;
  /** The signal by which `runInterruptibly` ends it; SIGKILL unless given. One that it handles lets it clear up. */
  readonly interruption?: number;
}

interface StartedCommand extends Disposable {
  readonly pid: number;
  readonly pidfd: FileDescriptor;
  readonly report: FileDescriptor;
  /** @throws BunkerError that kept it from starting */
  checkStart(): void;
}

/**
 * Runs a command of this program as root of a new user namespace and waits for it.
 * @param words the command and its arguments
 * @param input what `readInput` gives it
 * @param environment variables that it has besides
 * @returns what it has said through descriptor 3
 * @throws BunkerError that the command reported, or that kept it from starting
 */
export function runInUserNamespace(
  map: IdMap,
  words: readonly string[],
  input = "",
  environment: Readonly<Record<string, string>> = {},
): string {
  using started = startInUserNamespace(map, { words, input, environment });
  started.checkStart();
  const report = nodeFileSystem().readFileSync(started.report.number, "utf8");
  return conclude(report, words, waitForExit(started.pid));
}

/**
 * The same for work that a user may interrupt, and without blocking this process meanwhile.
 * @param map undefined stays in the present user namespace, for a caller who is root there
 * @param signal ends the command when it is aborted
 * @throws BunkerError as `runInUserNamespace`, and the reason of `signal`
 */
export async function runInterruptibly(
  map: IdMap | undefined,
  command: NamespaceCommand,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  using started = startInUserNamespace(map, command);
  const kill = () => void sendSignal(started.pidfd, command.interruption ?? Signal.SIGKILL);
  signal.addEventListener("abort", kill);
  try {
    started.checkStart();
    const report = await readToEnd(started.report.number);
    const end = waitForExit(started.pid);
    signal.throwIfAborted();
    return conclude(report, command.words, end);
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

function readToEnd(descriptor: number): Promise<string> {
  return new Promise((done, fail) =>
    nodeFileSystem().readFile(descriptor, "utf8", (error, text) => (error === null ? done(text) : fail(error))),
  );
}

function startInUserNamespace(map: IdMap | undefined, command: NamespaceCommand): StartedCommand {
  const { words, input = "", environment = {}, descriptors = [], flags = 0, prepare, prepareSize = 0 } = command;
  const [reportRead, reportWrite] = pipe();
  using cleanup = new DisposableStack();
  cleanup.use(reportRead);
  using writeEnd = reportWrite;
  const inputFile = cleanup.use(new MemoryFile("bunker-input"));
  inputFile.write(input);
  const all = { ...process.env, HOME: knownHomeDirectory() ?? NO_HOME, ...environment };
  const variables = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  const size = PROGRAM_SIZE + wordsSize([...words, ...variables]) + prepareSize;
  const program = cleanup.use(new LaunchProgram(size));
  const what = { operation: "start Bunker in a user namespace" };
  const child = launchAsRoot(program, map, flags, () => {
    dieWithParent(program);
    resetSignals(program);
    const prepared = prepare?.(program) ?? [];
    const passed = [writeEnd.number, inputFile.descriptor.number, ...prepared, ...descriptors].map((from, index) => ({
      from,
      to: REPORT_DESCRIPTOR + index,
      safe: program.slot(`passed ${index}`),
    }));
    // First out of each other's way.
    for (const { from, safe } of passed) {
      program.call("fcntl", [from, F_DUPFD_CLOEXEC, REPORT_DESCRIPTOR + passed.length], what, { result: safe });
    }
    for (const { to, safe } of passed) program.call("dup3", [safe, to, 0], what);
    program.call(
      "execve",
      [program.text("/proc/self/exe"), program.texts([...ownCommand(), ...words]), program.texts(variables)],
      what,
    );
  });
  cleanup.use(child.pidfd);
  cleanup.use(child.errors);
  const owned = cleanup.move();
  return {
    pid: child.pid,
    pidfd: child.pidfd,
    report: reportRead,
    checkStart: () => {
      const failure = readFailure(child, program);
      if (failure === undefined) return;
      waitForExit(child.pid);
      throw failure;
    },
    [Symbol.dispose]: () => owned.dispose(),
  };
}

function conclude(report: string, words: readonly string[], end: ProcessEnd): string {
  if ("exitCode" in end && end.exitCode === 0) return report;
  throw errorFromReport(report, words[1] ?? "", end);
}

function errorFromReport(report: string, command: string, end: object): BunkerError {
  if (report !== "") {
    const { code, message, hint, excerpt } = v.parse(reportSchema(), JSON.parse(report));
    return new BunkerError({ code, operation: message, hint, excerpt });
  }
  return new BunkerError({
    code: "helper_lost",
    operation: command,
    reason: `the process in the user namespace ended with ${JSON.stringify(end)}`,
  });
}

/** What the process that started this one gave it to know. */
export function readInput(): string {
  return nodeFileSystem().readFileSync(`/proc/self/fd/${INPUT_DESCRIPTOR}`, "utf8");
}

/** Answers the process that started this one by `runInUserNamespace`, once. */
export function report(text: string): void {
  nodeFileSystem().writeSync(REPORT_DESCRIPTOR, text);
}

/** Reports an error to the process that started this one by `runInUserNamespace`. */
export function reportFailure(error: unknown): void {
  const failure =
    error instanceof BunkerError
      ? { code: error.code, message: error.message, hint: error.hint, excerpt: error.excerpt }
      : { code: "internal_error", message: String(error) };
  report(JSON.stringify(failure));
}
