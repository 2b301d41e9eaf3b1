/* The options of `run` and `create` about checks of health, and what they come to. */
import type { HealthOptions, StartupOptions } from "../engine/specification/run-options.ts";
import { BunkerError } from "../sys/error.ts";

/** Values of options, undefined where they were not given; durations in milliseconds. */
interface HealthValues {
  readonly healthCommand: string | undefined;
  readonly healthInterval: number | undefined;
  readonly healthTimeout: number | undefined;
  readonly healthStartPeriod: number | undefined;
  readonly healthStartInterval: number | undefined;
  readonly healthRetries: number | undefined;
  readonly healthStartupCommand: string | undefined;
  readonly healthStartupInterval: number | undefined;
  readonly healthStartupRetries: number | undefined;
  readonly healthStartupSuccesses: number | undefined;
  readonly healthStartupTimeout: number | undefined;
  readonly healthResults: number | undefined;
  readonly healthOutputLength: number | undefined;
  readonly noHealthCheck: boolean;
}

/**
 * What they ask for together.
 * @throws BunkerError `conflicting_options`
 */
export function healthOf(values: HealthValues): HealthOptions {
  const {
    healthCommand,
    healthInterval,
    healthTimeout,
    healthStartPeriod,
    healthStartInterval,
    healthRetries,
    healthStartupCommand,
    healthStartupInterval,
    healthStartupRetries,
    healthStartupSuccesses,
    healthStartupTimeout,
    healthResults,
    healthOutputLength,
    noHealthCheck,
  } = values;
  const startup: StartupOptions = {
    command: healthStartupCommand || undefined,
    interval: healthStartupInterval,
    timeout: healthStartupTimeout,
    retries: healthStartupRetries,
    successes: healthStartupSuccesses,
  };
  const checks = {
    command: healthCommand || undefined,
    interval: healthInterval,
    timeout: healthTimeout,
    startPeriod: healthStartPeriod,
    startInterval: healthStartInterval,
    retries: healthRetries,
    startup: isAnySet(startup) ? startup : undefined,
    maximumResults: healthResults,
    longestOutput: healthOutputLength,
  };
  if (checks.startup !== undefined && startup.command === undefined) {
    throw conflict("--health-startup-* options without --health-startup-cmd");
  }
  if (noHealthCheck && isAnySet(checks)) throw conflict("--no-healthcheck and --health-* options");
  return { ...checks, disabled: noHealthCheck };
}

function isAnySet<Values extends object>(values: Values): boolean {
  for (const name in values) if (values[name] !== undefined) return true;
  return false;
}

function conflict(options: string): BunkerError {
  return new BunkerError({ code: "conflicting_options", operation: `conflicting options: ${options}` });
}
