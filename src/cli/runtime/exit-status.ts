import type { ProcessEnd } from "../../sys/process.ts";

/** The exit status that stands for the end of a process whose status a command passes on. */
export function exitStatusOf(end: ProcessEnd): number {
  return "exitCode" in end ? end.exitCode : 128 + end.signal;
}
