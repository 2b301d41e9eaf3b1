/*
 * newuidmap and newgidmap at work: the only programs that Bunker runs on the host. They run side by side, and beside
 * whatever the runtime does meanwhile: each takes milliseconds, nearly all of them for its own start.
 *
 * This process starts them by a launch program for each, or the launched process of a container does so by its own
 * program, which knows the container's process first: that way nothing waits for JavaScript in between. Even then they
 * are this process's children (CLONE_PARENT), since here their failure is told.
 *
 * What they say on standard error goes into a file in memory, which makes no helper wait for a reader.
 */
import { launch, type ObservedProcess, readFailure } from "../../launch/launch.ts";
import type { Slot } from "../../launch/operation.ts";
import { LaunchProgram } from "../../launch/program.ts";
import { DECIMAL_SIZE, writeDecimal } from "../../launch/write-decimal.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { BunkerError } from "../../sys/error.ts";
import { MemoryFile } from "../../sys/memory-file.ts";
import { poll } from "../../sys/poll.ts";
import { type ProcessEnd, waitForExit } from "../../sys/process.ts";
import type { IdMapping } from "../configuration/configuration.ts";
import { findHelper, type HelperName } from "./find-helper.ts";
import type { IdMap } from "./id-mapping.ts";

const PROGRAM_SIZE = 16384;
const STANDARD_ERROR = 2;

interface Helper {
  readonly name: HelperName;
  readonly path: string;
  /** The map as the helper's words behind the pid. */
  readonly map: readonly string[];
}

/** Helpers that a launch program starts. */
export interface LaunchedHelpers extends Disposable {
  /** Emits their start, to be executed by a child of this process, in whose program it stands once. */
  readonly start: (program: LaunchProgram, target: Slot) => void;
  /**
   * Waits until those that were started have ended.
   * @param child that has executed the program up to there, or died of it
   * @throws BunkerError `id_map_refused`, or what keeps a helper from being executed
   */
  readonly finish: (child: ObservedProcess, program: LaunchProgram) => void;
}

/**
 * Prepares helpers for a launch program, before the launch: its process has to inherit where they say what is wrong.
 * @throws BunkerError `id_map_refused` when they cannot work here
 */
export function helpersToLaunch(map: IdMap): LaunchedHelpers {
  const helpers = helpersFor(map);
  const messages = new MemoryFile("messages of newuidmap and newgidmap");
  let launched: readonly { readonly helper: Helper; readonly pid: Slot }[] = [];
  return {
    start: (program, target) => {
      const digits = "pid of ids".padEnd(DECIMAL_SIZE);
      const rest = program.slot("pid to write");
      program.set(rest, target);
      writeDecimal(program, rest, program.text(digits));
      program.release(rest);
      launched = helpers.map((helper) => ({ helper, pid: program.slot(`pid of ${helper.name}`) }));
      // Their places had other values, and the program may fail before a helper is started.
      for (const { pid } of launched) program.set(pid, 0);
      for (const { helper, pid } of launched) {
        const child = program.label(helper.name);
        const started = program.label(`${helper.name} started`);
        // Until its exec it only reads the program, in the memory of a process that goes on: nothing has to be copied.
        const flags = CloneFlag.PARENT | CloneFlag.VM;
        program.fork({ operation: `start ${helper.name}` }, { child, flags, result: pid });
        program.jump(started);
        program.place(child);
        becomeHelper(program, helper, digits, messages);
        program.place(started);
      }
    },
    finish: (child, program) => {
      const started = launched.map(({ helper, pid }) => ({ helper, pid: program.read(pid) }));
      const ended = started
        .filter(({ pid }) => pid !== 0)
        .map(({ helper, pid }) => ({ helper, end: waitForExit(pid) }));
      for (const { helper, end } of ended) {
        if (isSuccess(end)) continue;
        // One that was not executed has left its reason before it ended.
        const failure = poll([child.errors.number], 0)[0] === 0 ? undefined : readFailure(child, program);
        throw failure ?? refusal(helper, end, messages.read().trim());
      }
    },
    [Symbol.dispose]: () => messages[Symbol.dispose](),
  };
}

/**
 * Starts them for the user namespace of a child.
 * @returns a function that waits until they have ended; called again, it does nothing
 * @throws BunkerError `id_map_refused`, or what keeps a helper from being executed; so does the function
 */
export function startHelpers(pid: number, map: IdMap): () => void {
  const started: (() => BunkerError | undefined)[] = [];
  const finish = () => started.splice(0).flatMap((finishOne) => finishOne() ?? [])[0];
  try {
    for (const helper of helpersFor(map)) started.push(startHelper(helper, pid));
  } catch (error) {
    // Whatever the first says, why there is no second is what counts.
    finish();
    throw error;
  }
  return () => {
    const problem = finish();
    if (problem !== undefined) throw problem;
  };
}

function startHelper(helper: Helper, pid: number): () => BunkerError | undefined {
  using cleanup = new DisposableStack();
  const messages = cleanup.use(new MemoryFile(`messages of ${helper.name}`));
  const program = cleanup.use(new LaunchProgram(PROGRAM_SIZE));
  becomeHelper(program, helper, String(pid), messages);
  // Sharing memory until exec spares the copy of the page tables; the child touches only the program. Its exec, of a
  // program with privilege, takes a millisecond that we need not wait for.
  const child = launch(program, { flags: CloneFlag.VM });
  cleanup.use(child.pidfd);
  cleanup.use(child.errors);
  const kept = cleanup.move();
  return () => {
    using _kept = kept;
    const failure = readFailure(child, program);
    const end = waitForExit(child.pid);
    return failure ?? (isSuccess(end) ? undefined : refusal(helper, end, messages.read().trim()));
  };
}

function helpersFor({ uidMappings, gidMappings }: IdMap): readonly Helper[] {
  return [helperFor("newuidmap", uidMappings), helperFor("newgidmap", gidMappings)];
}

function helperFor(name: HelperName, mappings: readonly IdMapping[]): Helper {
  const search = findHelper(name);
  if (search.kind === "unusable") {
    throw new BunkerError({ code: "id_map_refused", operation: "map subordinate ids", reason: search.problem });
  }
  const map: string[] = [];
  for (const { containerID, hostID, size } of mappings) map.push(String(containerID), String(hostID), String(size));
  return { name, path: search.path, map };
}

/** @param pid the text that says for whose user namespace, which is in its place when this is executed */
function becomeHelper(program: LaunchProgram, { name, path, map }: Helper, pid: string, messages: MemoryFile): void {
  const what = { operation: "run", object: path };
  program.call("dup3", [messages.descriptor.number, STANDARD_ERROR, 0], what);
  program.call("execve", [program.text(path), program.texts([name, pid, ...map]), program.texts([])], what);
}

function isSuccess(end: ProcessEnd): boolean {
  return "exitCode" in end && end.exitCode === 0;
}

function refusal({ name, map }: Helper, end: ProcessEnd, said: string): BunkerError {
  return new BunkerError({
    code: "id_map_refused",
    operation: `map ids by ${name}`,
    object: map.join(" "),
    reason: said === "" ? `it ended with ${JSON.stringify(end)}` : said.split("\n").join("; "),
    hint: "the ranges in /etc/subuid and /etc/subgid must be the user's own and not overlap",
  });
}
