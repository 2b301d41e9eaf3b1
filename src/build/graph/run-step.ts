/*
 * RUN as a step of the graph: which words it runs, what it has mounted, and what of all that is in its key. Not in the key
 * are secrets, agents of ssh, proxies, and what caches hold, as in BuildKit: none of them is meant to change the result.
 * Of `--volume` it has the paths, and not what is found there, as in Podman.
 */
import { heredocMark } from "../dockerfile/heredoc-marks.ts";
import type { CommandLine, RunMount } from "../dockerfile/instruction.ts";
import type { ContainerOptions } from "../run/run-configuration.ts";
import type { RootNode, StepInput } from "./step.ts";

/** Where a heredoc that is a program of its own is found in the container, as in BuildKit. */
export const PROGRAM_DIRECTORY = "/dev/pipes";

/** A RUN with everything that its stage says of it. */
export interface RunStep extends ContainerOptions {
  readonly command: CommandLine;
  /** Of SHELL. */
  readonly shell: readonly string[];
  /** `NAME=value` of the stage and of its arguments. */
  readonly environment: readonly string[];
  /** Arguments that are in its environment and not in its key. */
  readonly proxies: readonly string[];
  readonly workingDirectory: string;
  readonly user: string;
  readonly mounts: readonly RunMount[];
  /** What the mounts of the kinds `bind` and `cache` are from, in the order of `mounts`; undefined for nothing. */
  readonly sources: readonly (RootNode | undefined)[];
  readonly network: "default" | "none" | "host";
  readonly isInsecure: boolean;
  readonly hostname: string;
}

/** A program that stands in the Dockerfile: a heredoc with `#!`. */
export interface WrittenProgram {
  readonly name: string;
  readonly content: string;
}

/** The words that a RUN executes, and the program that it needs besides. */
export function wordsOf(
  command: CommandLine,
  shell: readonly string[],
): { readonly words: readonly string[]; readonly program: WrittenProgram | undefined } {
  if (command.form === "exec") return { words: command.words, program: undefined };
  const { text, heredocs } = command;
  const [first] = heredocs;
  if (first === undefined) return { words: [...shell, text], program: undefined };
  const isAlone = heredocMark(text) !== undefined;
  if (!isAlone) {
    const all = heredocs.map(({ name, content }) => `\n${content}${name}`).join("");
    return { words: [...shell, `${text}${all}`], program: undefined };
  }
  const content = first.stripsTabs ? first.content.replace(/^\t+/gm, "") : first.content;
  if (!content.startsWith("#!")) return { words: [...shell, content], program: undefined };
  return { words: [...shell, `${PROGRAM_DIRECTORY}/${first.name}`], program: { name: first.name, content } };
}

/** What of a RUN is in its key. */
export function runDefinition(step: RunStep): object {
  const { words, program } = wordsOf(step.command, step.shell);
  const { environment, workingDirectory, user, mounts, network, isInsecure, hostname } = step;
  const { addedHosts, noHosts, resourceLimits, sharedMemorySize, capabilitiesAdded, capabilitiesDropped, security } =
    step;
  const { additionalGroups, volumes } = step;
  return {
    kind: "run",
    ...{
      words,
      program,
      environment,
      workingDirectory,
      user,
      mounts,
      network,
      isInsecure,
      hostname,
      addedHosts,
      sharedMemorySize,
      capabilitiesAdded,
      capabilitiesDropped,
      security,
    },
    // Only then, so that keys of before are found.
    ...(noHosts ? { noHosts } : {}),
    ...(additionalGroups.length > 0 ? { additionalGroups } : {}),
    ...(volumes.length > 0 ? { volumes } : {}),
    resourceLimits: resourceLimits.map(({ type, soft, hard }) => [type, String(soft), String(hard)]),
  };
}

/**
 * What a RUN reads.
 * @param contentKey of a path in the files of a root file system
 */
export function runInputs(
  { mounts, sources }: RunStep,
  contentKey: (directories: readonly string[], path: string) => Promise<string>,
): readonly StepInput[] {
  return mounts.flatMap((mount, place): StepInput[] => {
    const node = sources[place];
    if (node === undefined || !("source" in mount)) return [];
    return [{ kind: "root", node, contentKey: (directories) => contentKey(directories, mount.source) }];
  });
}

/** Where secrets and agents come from. */
export interface RunSecrets {
  /** @throws BunkerError where it cannot be read; undefined for an id that nobody has given */
  readonly secret: (id: string) => Buffer | undefined;
  /** Makes a socket by which an agent is reached; undefined for an id that nobody has given. */
  readonly agent: (id: string, path: string) => Promise<Disposable> | undefined;
  /** A directory in memory, for what must not be on a disk. */
  readonly memory: () => Promise<string>;
}
