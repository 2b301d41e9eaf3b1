/*
 * One health check: `bunker internal health`, which the supervisor starts in time. It executes the check in the container,
 * as `exec` does, waits as long as a check may take, and writes the result to the container's row. So what a check needs
 * of code and memory is there only while it runs.
 */
import { readSync } from "node:fs";
import type { StateDatabase } from "../../state/state-database.ts";
import { waitForExit } from "../../sys/process.ts";
import { endsWithin, sendSignal } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import { makeStreams } from "../attach/attachment.ts";
import { recordContainerEvent } from "../events/journal.ts";
import { startExec } from "../lifecycle/exec-process.ts";
import { findContainer } from "../lifecycle/find-container.ts";
import { killContainer, stopContainer } from "../lifecycle/stop-container.ts";
import type { HealthCheck } from "../state/container-definition.ts";
import { type Container, type Health, openContainers, recordHealth } from "../state/containers.ts";

/** As much of a check's output as Docker keeps, and so many results. */
const LONGEST_OUTPUT = 4096;
const RESULTS = 5;
const TIMED_OUT = -1;

/**
 * Checks a container's health once and records the result.
 * @param isStarting whether failures do not count yet
 */
export async function checkHealth(data: string, id: string, isStarting: boolean): Promise<void> {
  using database = openContainers(data);
  const container = findContainer(database, data, id);
  const { health: check } = container.definition;
  if (check === undefined || container.status !== "running") return;
  const before = container.health ?? { status: "starting", failingStreak: 0, log: [] };
  const result = execute(data, container, check);
  const after = healthAfter(before, result, check, isStarting);
  const now = findContainer(database, data, id);
  // Meanwhile it may have ended, and begun anew.
  if (now.status !== "running" || now.pid !== container.pid) return;
  recordHealth(database, id, after);
  if (after.status === before.status) return;
  recordContainerEvent(data, `health_status: ${after.status}`, container);
  if (after.status === "unhealthy") await actOn(database, data, now);
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
      // What starts containers is more than a check needs.
      await (await import("../lifecycle/restart-container.ts")).restartContainer(database, data, container);
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
  const log = [...before.log, result].slice(-RESULTS);
  if (result.exitStatus === 0) return { status: "healthy", failingStreak: 0, log };
  if (isStarting && before.status === "starting") return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return { status: failingStreak >= check.retries ? "unhealthy" : before.status, failingStreak, log };
}

function execute(data: string, container: Container, check: HealthCheck): Health["log"][number] {
  const [kind, ...words] = check.test;
  const command = kind === "CMD-SHELL" ? ["/bin/sh", "-c", ...words] : kind === "CMD" ? words : check.test;
  const start = Date.now();
  const { inner, outer } = makeStreams(false);
  try {
    const request = {
      command,
      terminal: false,
      environment: [],
      user: undefined,
      workingDirectory: undefined,
      privileged: false,
      consoleSize: undefined,
    };
    using launched = startExec(data, container, request, [inner[0], inner[1], inner[1]]);
    for (const end of inner) end.close();
    if (!endsWithin(launched.pidfd, check.timeout / 1000)) {
      sendSignal(launched.pidfd, Signal.SIGKILL);
      waitForExit(launched.pid);
      const output = `Health check exceeded timeout (${check.timeout}ms): ${readAll(outer.output.number)}`;
      return { start, end: Date.now(), exitStatus: TIMED_OUT, output };
    }
    const end = waitForExit(launched.pid);
    const exitStatus = "exitCode" in end ? end.exitCode : 128 + end.signal;
    return { start, end: Date.now(), exitStatus, output: readAll(outer.output.number) };
  } catch (error) {
    const output = error instanceof Error ? error.message : String(error);
    return { start, end: Date.now(), exitStatus: TIMED_OUT, output };
  } finally {
    for (const end of [...inner, ...Object.values(outer)]) end?.close();
  }
}

/** What there is in a pipe now. */
function readAll(pipe: number): string {
  const bytes = Buffer.alloc(LONGEST_OUTPUT);
  try {
    return bytes.toString("utf8", 0, readSync(pipe, bytes));
  } catch {
    // Nothing, and somebody may still write.
    return "";
  }
}
