/*
 * What the executable is used for, as the modules that are always loaded for it: besides these, what they import. Chunks
 * are made to suit these programs (share-chunks.ts), and a test holds what they load within bounds.
 */
import { loadedWith, type ModuleGraph } from "./module-graph.ts";

/** A use of the executable. */
export interface Program {
  readonly name: string;
  readonly modules: readonly string[];
  /** How much a byte that it loads in vain counts, where an ordinary command's counts 1. */
  readonly weight: number;
  /** Nothing is loaded for it in vain: it does very little, or it lives as long as a container and has little memory. */
  readonly isSpare: boolean;
  /** The command line that it has an edition of the code for (editions.ts): its program and the first of its words. */
  readonly edition?: string;
}

/** Where all begin. */
export const MAIN = "src/main.ts";
/** Where a thread begins. */
export const THREAD = "src/image/layers/unpack-worker.ts";
const COMMAND = [MAIN, "src/cli/bunker.ts"];
const INTERNAL = [MAIN, "src/cli/internal.ts"];

const RUN = [...COMMAND, "src/cli/run.ts", "src/engine/run.ts", "src/cli/messages.ts"];
const SUPERVISOR = [...INTERNAL, "src/engine/supervisor/supervise.ts"];
const SLIRP4NETNS = [...INTERNAL, "src/cli/slirp4netns/serve.ts"];

/** Those whose speed or memory somebody notices. */
export const PROGRAMS = [
  { name: "version", modules: [...COMMAND, "src/cli/version.ts", "src/cli/build.ts"], weight: 150, isSpare: false },
  { name: "help", modules: [...COMMAND, "src/cli/help.ts"], weight: 150, isSpare: false },
  { name: "run", modules: RUN, weight: 30, isSpare: false, edition: "bunker run" },
  {
    name: "run of a stored image",
    modules: [...RUN, "src/image/store/image-store.ts"],
    weight: 20,
    isSpare: false,
    edition: "bunker run",
  },
  {
    name: "run of an image in a directory",
    modules: [...RUN, "src/image/open-directory.ts"],
    weight: 10,
    isSpare: false,
    edition: "bunker run",
  },
  {
    name: "exec",
    modules: [...COMMAND, "src/cli/container/exec.ts", "src/engine/lifecycle/exec-process.ts"],
    weight: 30,
    isSpare: false,
    edition: "bunker exec",
  },
  { name: "ps", modules: [...COMMAND, "src/cli/ps.ts"], weight: 12, isSpare: true, edition: "bunker ps" },
  { name: "build", modules: [...COMMAND, "src/cli/image/build/build.ts"], weight: 15, isSpare: false },
  // What removes a container's files that are not the user's own.
  { name: "work as root", modules: [...INTERNAL, "src/cli/in-user-namespace.ts"], weight: 15, isSpare: false },
  { name: "a build as root", modules: [...INTERNAL, "src/cli/image/build/build-here.ts"], weight: 15, isSpare: false },
  {
    name: "runtime run",
    modules: [...COMMAND, "src/cli/runtime/runtime.ts", "src/cli/runtime/run.ts"],
    weight: 6,
    isSpare: false,
  },
  { name: "a supervisor", modules: SUPERVISOR, weight: 10, isSpare: true, edition: "internal supervise" },
  {
    name: "a supervisor with orphans, a journal and a cgroup's memory",
    modules: [
      ...SUPERVISOR,
      "src/engine/supervisor/what-is-left.ts",
      "src/engine/log/journal/journal-writer.ts",
      "src/engine/supervisor/memory-watcher.ts",
      "src/engine/lifecycle/restart-policy.ts",
    ],
    weight: 5,
    isSpare: true,
    edition: "internal supervise",
  },
  {
    name: "a supervisor with networks",
    modules: [...SUPERVISOR, "src/engine/network/serve-network.ts"],
    weight: 5,
    isSpare: true,
    edition: "internal supervise",
  },
  { name: "slirp4netns", modules: SLIRP4NETNS, weight: 5, isSpare: true, edition: "internal slirp4netns" },
  {
    name: "slirp4netns with an API and limited system calls",
    modules: [...SLIRP4NETNS, "src/cli/slirp4netns/api-socket.ts", "src/cli/slirp4netns/seccomp.ts"],
    weight: 5,
    isSpare: true,
    edition: "internal slirp4netns",
  },
] as const satisfies readonly Program[];

/** How much all starts of the executable count together: those above and the others, each far more often than its weight. */
export const STARTS = 600;

/** The other commands: each part of the command line that is loaded when it is called, with what it loads of other rooms. */
export function otherCommands(graph: ModuleGraph): readonly Program[] {
  const known = new Set<string>(PROGRAMS.flatMap(({ modules }) => modules));
  const parts = new Set([...graph.values()].flatMap(({ dynamicImports }) => dynamicImports).filter(isCommandLine));
  return [...parts]
    .filter((part) => !known.has(part))
    .map((part) => {
      const later = loadedWith(graph, [part])
        .filter(isCommandLine)
        .flatMap((module) => graph.get(module)?.dynamicImports ?? [])
        .filter((module) => !isCommandLine(module));
      return { name: part, modules: [...COMMAND, part, ...later], weight: 1, isSpare: false };
    });
}

function isCommandLine(module: string): boolean {
  return module.startsWith("src/cli/");
}
