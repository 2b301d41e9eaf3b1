import type { RestartPolicy } from "../state/container-definition.ts";

const FIRST_DELAY = 100;
const LONGEST_DELAY = 60_000;
/** A container that has run so long is taken to have started well. */
const LONG_ENOUGH = 10_000;

/**
 * Whether a container that has ended is to be started again.
 * @param restartCount how often it was already
 */
export function isToBeRestarted(policy: RestartPolicy, exitStatus: number, restartCount: number): boolean {
  switch (policy.name) {
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return exitStatus !== 0 && (policy.maximumRetryCount === 0 || restartCount < policy.maximumRetryCount);
    default:
      return false;
  }
}

/**
 * Whether a container is to be started when the machine has been, as Docker does with the start of its daemon: not with
 * `on-failure`, and not if it has never been started; with `unless-stopped` not if a user has stopped it.
 */
export function isToBeStartedWithMachine({
  definition,
  started,
  stoppedByUser,
}: {
  readonly definition: { readonly restart: RestartPolicy };
  readonly started: number | undefined;
  readonly stoppedByUser: boolean;
}): boolean {
  const { name } = definition.restart;
  return started !== undefined && (name === "always" || (name === "unless-stopped" && !stoppedByUser));
}

/**
 * How long to wait before the next start: twice as long each time, up to a minute, as Docker does.
 * @param last what was waited before this run, 0 if nothing
 * @param ran how long the container ran
 * @returns milliseconds, as are the parameters
 */
export function nextRestartDelay(last: number, ran: number): number {
  return last === 0 || ran > LONG_ENOUGH ? FIRST_DELAY : Math.min(last * 2, LONGEST_DELAY);
}
