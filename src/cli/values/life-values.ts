import type { LogConfiguration, RestartPolicy } from "../../engine/state/container-definition.ts";
import { nearestName } from "../../nearest-name.ts";
import { BunkerError } from "../../sys/error.ts";
import { parseSignal } from "../../sys/signal.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseBytes } from "./numbers.ts";

/**
 * Reads a restart policy: `no`, `always`, `unless-stopped`, `on-failure[:COUNT]`.
 * @throws InvalidValue
 */
export function parseRestartPolicy(text: string): RestartPolicy {
  const [name = "", count, ...rest] = text.split(":");
  if (name !== "no" && name !== "always" && name !== "unless-stopped" && name !== "on-failure" && name !== "") {
    const nearest = nearestName(name, ["no", "always", "unless-stopped", "on-failure"]);
    throw new InvalidValue(
      `expected no, always, unless-stopped or on-failure[:COUNT]${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
    );
  }
  if (count === undefined) return { name: name === "" ? "no" : name, maximumRetryCount: 0 };
  if (name !== "on-failure") throw new InvalidValue("only on-failure takes a count");
  if (rest.length > 0 || !/^\d{1,9}$/.test(count)) throw new InvalidValue("the count is a whole number");
  return { name, maximumRetryCount: Number(count) };
}

/**
 * Reads the name or number of a signal and leaves it as it is written.
 * @throws InvalidValue
 */
export function parseSignalName(text: string): string {
  try {
    parseSignal(text);
  } catch (error) {
    if (error instanceof BunkerError) throw new InvalidValue(error.hint ?? "no such signal");
    throw error;
  }
  return text;
}

/**
 * Reads `KEY[=VALUE]` of a label or annotation.
 * @throws InvalidValue
 */
export function parseLabel(text: string): readonly [key: string, value: string] {
  const equals = text.indexOf("=");
  const key = equals < 0 ? text : text.slice(0, equals);
  if (key === "") throw new InvalidValue("expected KEY=VALUE");
  return [key, equals < 0 ? "" : text.slice(equals + 1)];
}

/** An annotation has a value. */
export function parseAnnotation(text: string): readonly [key: string, value: string] {
  if (!text.includes("=")) throw new InvalidValue("expected KEY=VALUE");
  return parseLabel(text);
}

/**
 * Reads a stream's name for `--attach`.
 * @throws InvalidValue
 */
export function parseStreamName(text: string): "stdin" | "stdout" | "stderr" {
  const name = text.toLowerCase();
  if (name === "stdin" || name === "stdout" || name === "stderr") return name;
  throw new InvalidValue("expected stdin, stdout or stderr");
}

/** Where the output of a container may go. */
export const LOG_DRIVERS = ["json-file", "local", "journald", "none"] as const;

/**
 * Reads the name of a log driver.
 * @throws InvalidValue
 */
export function parseLogDriver(text: string): LogConfiguration["driver"] {
  const found = LOG_DRIVERS.find((driver) => driver === text);
  if (found !== undefined) return found;
  throw new InvalidValue(`expected ${LOG_DRIVERS.join(", ")}; Bunker writes no other logs`);
}

/**
 * Puts together where a container's output is logged.
 * @param options `KEY=VALUE` pairs: `max-size`, `max-file`, `compress`; of journald `tag`
 * @throws BunkerError `invalid_log_option`
 */
export function logConfigurationOf(
  driver: LogConfiguration["driver"],
  options: readonly (readonly [key: string, value: string])[],
): LogConfiguration {
  const isLocal = driver === "local";
  let maximumSize: number | undefined = isLocal ? 20 * 1024 * 1024 : undefined;
  let maximumFiles = isLocal ? 5 : 1;
  let compress = isLocal;
  let tag: string | undefined;
  for (const [key, value] of options) {
    const refuse = (reason: string) =>
      new BunkerError({
        code: "invalid_log_option",
        operation: "use the log option",
        object: `${key}=${value}`,
        reason,
      });
    if (driver === "none") throw refuse("the log driver none takes no options");
    if (key === "tag" && driver === "journald") {
      if (!isTag(value)) throw refuse("a tag is text, with {{.ID}}, {{.FullID}}, {{.Name}} and {{.ImageName}}");
      tag = value;
    } else if (driver === "journald") {
      throw refuse("the log driver journald has the option tag; how much is kept is the journal's business");
    } else if (key === "max-size") {
      try {
        maximumSize = value === "-1" ? undefined : parseBytes(value);
      } catch {
        throw refuse("max-size is bytes with an optional unit b, k, m or g");
      }
      if (maximumSize === 0) throw refuse("max-size is more than 0");
    } else if (key === "max-file") {
      if (!/^[1-9]\d{0,4}$/.test(value)) throw refuse("max-file is a number from 1 on");
      maximumFiles = Number(value);
    } else if (key === "compress") {
      if (value !== "true" && value !== "false") throw refuse("compress is true or false");
      compress = value === "true";
    } else {
      const nearest = nearestName(key, ["max-size", "max-file", "compress"]);
      throw refuse(`no such option${nearest === undefined ? "" : `; did you mean ${nearest}?`}`);
    }
  }
  if (maximumSize === undefined && maximumFiles > 1) {
    throw new BunkerError({
      code: "invalid_log_option",
      operation: "use the log option",
      object: `max-file=${maximumFiles}`,
      reason: "it has no meaning without max-size",
    });
  }
  return {
    driver,
    ...(maximumSize === undefined ? {} : { maximumSize }),
    maximumFiles,
    compress,
    ...(tag === undefined ? {} : { tag }),
  };
}

/** Whether it is text with those fields of Docker's that a tag may have. */
function isTag(text: string): boolean {
  return /^(?:[^{}\p{Cc}]|\{\{\.(?:ID|FullID|Name|ImageName)\}\})+$/u.test(text);
}
