/*
 * One health check: `bunker internal health`, which the supervisor starts in time. It executes the check in the container,
 * as `exec` does, waits as long as a check may take, and writes the result to the container's row. So what a check needs
 * of code and memory is there only while it runs.
 */
import { readSync } from "node:fs";
import { formatGoDuration } from "../../notation/go-duration.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { poll } from "../../sys/poll.ts";
import { waitForExit } from "../../sys/process.ts";
import { sendSignal } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import { makeStreams } from "../attach/attachment.ts";
import { recordContainerEvent } from "../events/journal.ts";
import { startExec } from "../lifecycle/exec-process.ts";
import { findContainer } from "../lifecycle/find-container.ts";
import { killContainer, stopContainer } from "../lifecycle/stop-container.ts";
import type { HealthCheck } from "../state/container-definition.ts";
import { newContainerId } from "../state/container-directory.ts";
import { type Container, type Health, openContainers, recordHealth } from "../state/containers.ts";
import { newHealth } from "./health-check.ts";
import type { HealthPhase } from "./phase-status.ts";

/** As much of a check's output as Docker keeps, and so many results. */
const OUTPUT_LENGTH = 4096;
const RESULTS = 5;
/** What is kept where no length is set; also what a pipe holds. */
const LONGEST_OUTPUT = 65_536;
const TIMED_OUT = -1;
/** Of images that name no other by SHELL. */
const DEFAULT_SHELL = ["/bin/sh", "-c"];

/**
 * Checks a container's health once and records the result.
 * @param isStarting whether failures do not count yet
 * @returns how far the checks have come
 */
export async function checkHealth(data: string, id: string, isStarting: boolean): Promise<HealthPhase> {
  using database = openContainers(data);
  const container = findContainer(database, data, id);
  const { health: check } = container.definition;
  if (check === undefined) return "known";
  const before = container.health ?? newHealth(check);
  if (container.status !== "running") return phaseOf(before);
  const { startup } = check;
  const isStartup = startup !== undefined && before.startupSuccesses !== undefined;
  const result = await execute(data, container, check, isStartup ? startup : check);
  const after = isStartup
    ? startupAfter(before, result, check, startup)
    : healthAfter(before, result, check, isStarting);
  // Meanwhile it may have ended, and begun anew.
  if (!recordHealth(database, container, after)) return phaseOf(before);
  if (isStartup) {
    if (startup.retries > 0 && after.failingStreak >= startup.retries) await restart(database, data, container);
  } else if (after.status !== before.status) {
    recordContainerEvent(data, `health_status: ${after.status}`, container);
    if (after.status === "unhealthy") await actOn(database, data, container);
  }
  return phaseOf(after);
}

function phaseOf({ status, startupSuccesses }: Health): HealthPhase {
  if (startupSuccesses !== undefined) return "startup";
  return status === "starting" ? "starting" : "known";
}

// What starts containers is more than a check needs.
async function restart(database: StateDatabase, data: string, container: Container): Promise<void> {
  await (await import("../lifecycle/restart-container.ts")).restartContainer(database, data, container);
}

/** Podman's `--health-on-failure`. */
async function actOn(database: StateDatabase, data: string, container: Container): Promise<void> {
  switch (container.definition.healthAction) {
    case "kill":
      killContainer(database, data, container, "SIGKILL");
      break;
    case "stop":
      stopContainer(database, data, container, {});
      break;
    case "restart":
      await restart(database, data, container);
      break;
    default:
  }
}

/** What the results say with one more. */
export function healthAfter(
  before: Health,
  result: Health["log"][number],
  check: HealthCheck,
  isStarting: boolean,
): Health {
  const log = logAfter(before, result, check);
  if (result.exitStatus === 0) return { status: "healthy", failingStreak: 0, log };
  if (isStarting && before.status === "starting") return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return { status: failingStreak >= check.retries ? "unhealthy" : before.status, failingStreak, log };
}

/** What the results say with one more of the check that comes before those of the health. */
export function startupAfter(
  before: Health,
  result: Health["log"][number],
  check: HealthCheck,
  startup: NonNullable<HealthCheck["startup"]>,
): Health {
  const log = logAfter(before, result, check);
  if (result.exitStatus !== 0) {
    return { status: "starting", failingStreak: before.failingStreak + 1, startupSuccesses: 0, log };
  }
  const successes = (before.startupSuccesses ?? 0) + 1;
  const isOver = successes >= startup.successes;
  return { status: "starting", failingStreak: 0, startupSuccesses: isOver ? undefined : successes, log };
}

function logAfter({ log }: Health, result: Health["log"][number], check: HealthCheck): Health["log"] {
  const { maximumResults = RESULTS } = check;
  return [...log, result].slice(-maximumResults);
}

async function execute(
  data: string,
  container: Container,
  { longestOutput = OUTPUT_LENGTH, shell = DEFAULT_SHELL }: HealthCheck,
  { test, timeout }: Pick<HealthCheck, "test" | "timeout">,
): Promise<Health["log"][number]> {
  const [kind, ...words] = test;
  const command = kind === "CMD-SHELL" ? [...shell, ...words] : kind === "CMD" ? words : test;
  const outputLength = longestOutput === 0 ? LONGEST_OUTPUT : longestOutput;
  const start = Date.now();
  const { inner, outer } = makeStreams(false);
  try {
    const request = {
      id: newContainerId(),
      command,
      terminal: false,
      environment: [],
      user: undefined,
      workingDirectory: undefined,
      privileged: false,
      consoleSize: undefined,
    };
    using launched = await startExec(data, container, request, [inner[0], inner[1], inner[1]]);
    for (const end of inner) end.close();
    const said = new OutputBeginning(outer.output, outputLength);
    const isInTime = endsWhileRead(launched.pidfd, said, timeout);
    if (!isInTime) sendSignal(launched.pidfd, Signal.SIGKILL);
    const end = waitForExit(launched.pid);
    said.read();
    if (!isInTime) {
      const reason = `Health check exceeded timeout (${formatGoDuration(timeout * 1e6)})`;
      const output = said.text === "" ? reason : `${reason}: ${said.text}`;
      return { start, end: Date.now(), exitStatus: TIMED_OUT, output };
    }
    const exitStatus = "exitCode" in end ? end.exitCode : 128 + end.signal;
    return { start, end: Date.now(), exitStatus, output: said.text };
  } catch (error) {
    const output = error instanceof Error ? error.message : String(error);
    return { start, end: Date.now(), exitStatus: TIMED_OUT, output };
  } finally {
    for (const end of [...inner, ...Object.values(outer)]) end?.close();
  }
}

/**
 * Waits until a process has ended, and reads what it says meanwhile: one that says more than a pipe holds waits for that.
 * @param patience milliseconds
 * @returns false when the time is over first
 */
function endsWhileRead(pidfd: FileDescriptor, said: OutputBeginning, patience: number): boolean {
  const end = performance.now() + patience;
  for (;;) {
    const pipes = said.hasEnded ? [] : [said.pipe.number];
    const left = end - performance.now();
    const [hasEnded, ...isReadable] = poll([pidfd.number, ...pipes], Math.max(left, 0));
    if (hasEnded !== 0) return true;
    if (left <= 0) return false;
    if (isReadable.some((events) => events !== 0)) said.read();
  }
}

/** The beginning of what comes out of a pipe. What is longer is read, too, but not kept. */
class OutputBeginning {
  readonly pipe: FileDescriptor;
  readonly #bytes: Buffer;
  #length = 0;
  #hasEnded = false;

  /** @param pipe non-blocking */
  constructor(pipe: FileDescriptor, length: number) {
    this.pipe = pipe;
    this.#bytes = Buffer.alloc(length);
  }

  /** Whether nobody can write to it any more. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get text(): string {
    return this.#bytes.toString("utf8", 0, this.#length);
  }

  /** Reads what there is now, as much as a pipe holds. */
  read(): void {
    const piece = Buffer.alloc(LONGEST_OUTPUT);
    try {
      const count = readSync(this.pipe.number, piece);
      this.#hasEnded = count === 0;
      this.#length += piece.copy(this.#bytes, this.#length, 0, count);
    } catch {
      // Nothing, and somebody may still write.
    }
  }
}
