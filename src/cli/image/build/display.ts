import { writeSync } from "node:fs";
import type { BuildObserver } from "../../../build/progress.ts";
import { plainProgress, quietProgress } from "./plain-progress.ts";
import { rawProgress } from "./raw-progress.ts";
import type { BuildValues } from "./requested-build.ts";
import { terminalProgress } from "./terminal-progress.ts";

/** Who shows a build; what is shown in place is left as it is when it is disposed of. */
export interface BuildDisplay extends Disposable {
  readonly observer: BuildObserver;
}

/**
 * Shows a build on standard error, as `--progress` has it.
 * @param now milliseconds since this process began
 */
export function buildDisplay(
  { progress, quiet, checks, calls }: BuildValues,
  now: () => number = () => performance.now(),
): BuildDisplay {
  const write = (text: string) => {
    let bytes = Buffer.from(text);
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(2, bytes));
  };
  const plain = (observer: BuildObserver) => ({ observer, [Symbol.dispose]: () => undefined });
  if (quiet || progress === "quiet" || progress === "none" || checks || calls.call !== "build")
    return plain(quietProgress(write));
  if (progress === "rawjson") return plain(rawProgress(write, () => performance.timeOrigin + now()));
  const { stderr } = process;
  if (progress === "plain" || (progress === "auto" && !stderr.isTTY)) return plain(plainProgress(write, now));
  const terminal = {
    write,
    get columns() {
      return stderr.columns ?? 80;
    },
    get rows() {
      return stderr.rows ?? 24;
    },
  };
  const observer = terminalProgress(terminal, now);
  return { observer, [Symbol.dispose]: () => observer[Symbol.dispose]() };
}
