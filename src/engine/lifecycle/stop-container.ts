import type { StateDatabase } from "../../state/state-database.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { parseSignal, Signal } from "../../sys/signal.ts";
import { recordContainerEvent } from "../events/journal.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";
import type { Container } from "../state/containers.ts";
import { connectToSupervisor, nextAnswer, tell } from "../supervisor/connect.ts";
import { lookUpContainer } from "./find-container.ts";
import { endsUnhindered, waitForUnhinderedEnd } from "./held-up-end.ts";
import { notRunning } from "./not-running.ts";

const DEFAULT_SIGNAL = "SIGTERM";
const DEFAULT_TIMEOUT = 10;

/** The signal that asks a container to end. */
export function stopSignalOf({ stopSignal }: ContainerDefinition): string {
  return stopSignal ?? DEFAULT_SIGNAL;
}

/** Seconds that a container has for that; negative is for ever. */
export function stopTimeoutOf({ stopTimeout }: ContainerDefinition): number {
  return stopTimeout ?? DEFAULT_TIMEOUT;
}

/**
 * Connects to the supervisor of a container that runs.
 * @returns undefined when it does not run
 */
export function supervisorOf(database: StateDatabase, data: string, id: string): FileDescriptor | undefined {
  for (;;) {
    const socket = connectToSupervisor(data, id);
    if (socket !== undefined) return socket;
    const status = lookUpContainer(database, data, id)?.status;
    if (status !== "running" && status !== "restarting" && status !== "paused") return undefined;
    // It has just been launched, and does not listen yet.
    Bun.sleepSync(1);
  }
}

/**
 * Stops a container: its stop signal, and SIGKILL when that has not helped in time. One that does not run is left alone.
 * @param options what the command says instead of the container's definition; with `isRestart` one of `--rm` is kept,
 *   to be started again
 */
export function stopContainer(
  database: StateDatabase,
  data: string,
  container: Container,
  options: {
    readonly signal?: string | undefined;
    readonly timeout?: number | undefined;
    readonly isRestart?: boolean;
  },
): void {
  const signal = parseSignal(options.signal ?? stopSignalOf(container.definition));
  const { isRestart = false } = options;
  const timeout = options.timeout ?? stopTimeoutOf(container.definition);
  // However many supervisors have to be told.
  const recorded = new Set<number>();
  for (;;) {
    using socket = supervisorOf(database, data, container.id);
    if (socket === undefined) return;
    const send = (number: number): void => {
      // Before its end goes on record.
      if (!recorded.has(number)) recordContainerEvent(data, "kill", container, { signal: String(number) });
      recorded.add(number);
      tell(socket, { kind: "signal", signal: number, isStop: true, isStopCommand: true, isRestart });
    };
    tell(socket, { kind: "wait" });
    send(signal);
    const { pid } = container;
    if (!endsUnhindered(socket, pid, timeout < 0 ? Number.POSITIVE_INFINITY : timeout)) send(Signal.SIGKILL);
    // A supervisor that was just starting the container again has not heard it, and another one is there now.
    if (waitForUnhinderedEnd(socket, pid) !== undefined) return;
  }
}

/**
 * Sends a signal to a container's first process.
 * @throws BunkerError `container_not_running`
 */
export function killContainer(database: StateDatabase, data: string, container: Container, signal: string): void {
  const number = parseSignal(signal);
  // SIGKILL and the container's own stop signal mean that the user wants its end, as with Docker.
  const isStop = number === Signal.SIGKILL || number === parseSignal(stopSignalOf(container.definition));
  const endsPolicy = isStop && container.definition.restart.name !== "no";
  let isRecorded = false;
  for (let isTold = false; ; ) {
    using socket = supervisorOf(database, data, container.id);
    if (socket === undefined) {
      if (isTold) return;
      throw notRunning("kill container", container);
    }
    // Before its end goes on record; once, however many supervisors have to be told.
    if (!isRecorded) recordContainerEvent(data, "kill", container, { signal: String(number) });
    isRecorded = true;
    if (!tell(socket, { kind: "signal", signal: number, isStop })) continue;
    const isDone =
      number === Signal.SIGKILL
        ? waitForUnhinderedEnd(socket, container.pid) !== undefined
        : !endsPolicy || hasHeard(socket);
    if (isDone) return;
    // See above; or it will not be started again.
    isTold = true;
  }
}

/** Whether a supervisor has heard what it was told; one that is just starting the container again listens no more. */
function hasHeard(socket: FileDescriptor): boolean {
  if (!tell(socket, { kind: "status" })) return false;
  for (let answer = nextAnswer(socket); answer !== undefined; answer = nextAnswer(socket)) {
    if (answer.kind === "status") return true;
  }
  return false;
}
