import { openSync } from "node:fs";
import { LaunchProgram } from "../../launch/program.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_EMPTY_PATH } from "../../sys/open.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";

const WORDS_SIZE = 1 << 20;
const F_SETFD = 2;

/** What a program is executed with. */
export interface Execution {
  /** Descriptors that it gets of this process's, beside the standard streams. */
  readonly descriptors: readonly number[];
  /** argv. */
  readonly words: readonly string[];
  readonly environment: readonly string[];
}

/** The file of the program that runs. */
export function ownExecutable(): FileDescriptor {
  return new FileDescriptor(openSync("/proc/self/exe", "r"));
}

/**
 * Executes a program in this process's place; execveat(2).
 * @param file the program
 * @returns the errno with which that failed
 */
export function execute(file: FileDescriptor, { descriptors, words, environment }: Execution): number {
  using memory = new LaunchProgram(WORDS_SIZE);
  for (const descriptor of descriptors) systemCall(SystemCall.fcntl, descriptor, F_SETFD, 0);
  const [argv, envp] = [memory.texts(words), memory.texts(environment)];
  return -systemCall(SystemCall.execveat, file.number, memory.text(""), argv, envp, AT_EMPTY_PATH);
}
