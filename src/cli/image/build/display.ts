import { closeSync, openSync, writeSync } from "node:fs";
import type { BuildObserver } from "../../../build/progress.ts";
import { BunkerError, errnoOf } from "../../../sys/error.ts";
import { plainProgress, quietProgress } from "./plain-progress.ts";
import { rawProgress } from "./raw-progress.ts";
import type { BuildValues } from "./requested-build.ts";
import { terminalProgress } from "./terminal-progress.ts";

const STANDARD_ERROR = 2;

/** Who shows a build, until it is disposed of. */
export interface BuildDisplay extends Disposable {
  readonly observer: BuildObserver;
}

/**
 * Shows a build on standard error or in a file, as `--progress` and `--logfile` have it.
 * @param now milliseconds since this process began
 * @throws BunkerError `write_failed`
 */
export function buildDisplay(
  { progress, quiet, checks, calls, logFile }: BuildValues,
  now: () => number = () => performance.now(),
): BuildDisplay {
  const descriptor = logFile === undefined ? STANDARD_ERROR : openLog(logFile);
  const write = (text: string) => {
    let bytes = Buffer.from(text);
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(descriptor, bytes));
  };
  const plain = (observer: BuildObserver) => ({
    observer,
    [Symbol.dispose]: () => {
      if (descriptor !== STANDARD_ERROR) closeSync(descriptor);
    },
  });
  if (quiet || progress === "quiet" || progress === "none" || checks || calls.call !== "build")
    return plain(quietProgress(write));
  if (progress === "rawjson") return plain(rawProgress(write, () => performance.timeOrigin + now()));
  const { stderr } = process;
  const isTerminal = logFile === undefined && stderr.isTTY;
  if (progress === "plain" || (progress === "auto" && !isTerminal)) return plain(plainProgress(write, now));
  const terminal = {
    write,
    get columns() {
      return stderr.columns || 80;
    },
    get rows() {
      return stderr.rows || 24;
    },
  };
  const observer = terminalProgress(terminal, now);
  return { observer, [Symbol.dispose]: () => observer[Symbol.dispose]() };
}

function openLog(path: string): number {
  try {
    return openSync(path, "w", 0o666);
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new BunkerError({ code: "write_failed", operation: "write", object: path, errno, exitStatus: 1 }, { cause });
  }
}
