import type { HealthOptions } from "../specification/run-options.ts";
import type { HealthCheck } from "../state/container-definition.ts";
import type { Health } from "../state/containers.ts";

/** What an image says of its health check; durations in nanoseconds, 0 or nothing for the default. */
interface ImageHealthCheck {
  readonly Test: readonly string[];
  readonly Interval?: number | null | undefined;
  readonly Timeout?: number | null | undefined;
  readonly StartPeriod?: number | null | undefined;
  readonly StartInterval?: number | null | undefined;
  readonly Retries?: number | null | undefined;
}

const SECOND = 1000;

/** What is known of a container's health before the first check. */
export function newHealth({ startup }: HealthCheck): Health {
  return { status: "starting", failingStreak: 0, startupSuccesses: startup === undefined ? undefined : 0, log: [] };
}

/**
 * The health check of a container: what the user says, what the image says, and Docker's defaults, in this order.
 * @param shell what the image has scripts executed by
 * @returns undefined for none
 */
export function healthCheckOf(
  options: HealthOptions,
  image: ImageHealthCheck | undefined,
  shell: readonly string[] | null | undefined,
): HealthCheck | undefined {
  if (options.disabled) return undefined;
  const test = options.command === undefined ? [...(image?.Test ?? [])] : ["CMD-SHELL", options.command];
  if (test.length === 0 || test[0] === "NONE") return undefined;
  const milliseconds = (given: number | undefined, nanoseconds: number | null | undefined, otherwise: number) =>
    given || Math.round((nanoseconds ?? 0) / 1e6) || otherwise;
  return {
    test,
    shell: shell == null || shell.length === 0 ? undefined : [...shell],
    interval: milliseconds(options.interval, image?.Interval, 30 * SECOND),
    timeout: milliseconds(options.timeout, image?.Timeout, 30 * SECOND),
    startPeriod: milliseconds(options.startPeriod, image?.StartPeriod, 0),
    startInterval: milliseconds(options.startInterval, image?.StartInterval, 5 * SECOND),
    retries: options.retries || image?.Retries || 3,
    startup: startupCheckOf(options.startup),
    maximumResults: options.maximumResults,
    longestOutput: options.longestOutput,
  };
}

function startupCheckOf(options: HealthOptions["startup"]): HealthCheck["startup"] {
  if (options?.command === undefined) return undefined;
  return {
    test: ["CMD-SHELL", options.command],
    interval: options.interval || 30 * SECOND,
    timeout: options.timeout || 30 * SECOND,
    retries: options.retries ?? 0,
    successes: options.successes || 1,
  };
}
