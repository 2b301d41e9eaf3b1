/*
 * Who has a container in hand for a moment only: a command that makes or starts it, or its supervisor, which has seen its
 * end and records it. The end shows before the lock is free, in events and in the process list, and whoever acts on it
 * comes in between. So commands that need the lock wait for it, as with Docker, where each has the container to itself.
 */
import { endsWithin, openIdentified } from "../../sys/process-identity.ts";
import type { Container } from "../state/containers.ts";
import { HOOKS_RUN } from "./abandoned.ts";

/** Milliseconds between two looks. */
const INTERVAL = 2;
/** Milliseconds after which whoever has it is taken for stopped, by Ctrl-Z or SIGSTOP. */
const PATIENCE = 10_000;

/**
 * Begins to wait for a lock.
 * @returns waits until the next look; false when it is not worth to look again
 */
export function beginPatience(): () => boolean {
  const end = performance.now() + PATIENCE;
  return () => {
    Bun.sleepSync(INTERVAL);
    return performance.now() < end;
  };
}

/** Whether whoever holds a container's lock, and does not copy its files, gives it back or has started it in a moment. */
export function isHeldForAMoment(container: Container): boolean {
  const { status, error } = container;
  if (status === "created" || status === "exited") return !error.endsWith(HOOKS_RUN);
  return (status === "running" || status === "paused") && hasEnded(container);
}

/** Whether the first process of a container has ended that goes on record as running. */
function hasEnded({ pid, startTime }: Container): boolean {
  if (pid === undefined || startTime === undefined) return false;
  using process = openIdentified({ pid, startTime });
  return process === undefined || endsWithin(process, 0);
}
