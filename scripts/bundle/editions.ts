/*
 * Commands that have all their code for themselves.
 *
 * What many programs share lies in chunks that suit none of them: `run` alone was made of 62, with 1200 imports between
 * them. For each chunk, each import and each export the engine keeps records and tables, looks names up and copies; and a
 * function stays in a chunk when any program uses it. So the commands that must be fast, or small, have an edition: a
 * copy of every module that they can reach, in which what they always load is one chunk. A process stays within one
 * edition, chosen by its command line before anything else is loaded, so that nobody meets two copies of a module. It
 * costs the executable some megabytes on the disk, which are not read.
 *
 * In an edition modules are called by their paths with the edition's tag behind, `src/sys/errno.ts.bunker-run`.
 */
import { loadedWith, type ModuleGraph } from "./module-graph.ts";
import { MAIN, otherCommands, type Program, STARTS, THREAD } from "./programs.ts";
import { type Groups, shareChunks } from "./share-chunks.ts";

/** A copy of the code for a command. */
export interface Edition {
  /** The program and the first of its words. */
  readonly command: string;
  readonly tag: string;
  readonly groups: Groups;
  /** What its command always loads, besides what that imports. */
  readonly always: readonly string[];
  /** The modules that it has, in no order. */
  readonly modules: ReadonlySet<string>;
}

const INTERNAL = "src/cli/internal.ts";
/** These load one thing or another by the command line; what they would load for another command is in no edition. */
const CHOOSERS: ReadonlySet<string> = new Set([MAIN, "src/cli/bunker.ts", INTERNAL]);
/** The only one that a chooser loads whatever was chosen. */
const REPORT = "src/cli/report-error.ts";

/**
 * The editions that programs have.
 * @param programs of those with the same edition the first tells what it always loads, the others what it may load
 */
export function makeEditions(graph: ModuleGraph, programs: readonly Program[]): readonly Edition[] {
  const commands = new Set(programs.flatMap(({ edition }) => edition ?? []));
  return [...commands].map((command) => {
    const own = programs.filter(({ edition }) => edition === command);
    const always = own[0]?.modules ?? [];
    const modules = reachable(graph, [...always, REPORT]);
    const others = [...modules].flatMap((module) => later(graph, module).filter((other) => modules.has(other)));
    const rarely = loadedRarely(others, always);
    const whatIsAlways = own.slice(0, 1).map((program) => ({ ...program, isSpare: true }));
    const groups = shareChunks(graph, [...whatIsAlways, ...own.slice(1), ...rarely], STARTS);
    return { command, tag: editionTag(command), groups, always, modules };
  });
}

/**
 * Whether an import is never made.
 * @param edition the one that the importing module is in; undefined is outside of all
 */
export function isOutside(
  { importer, imported, edition }: { importer: string; imported: string; edition: Edition | undefined },
  editions: readonly Edition[],
): boolean {
  if (edition !== undefined) return !edition.modules.has(imported);
  return (
    importer === INTERNAL && editions.some(({ command, always }) => hasOneName(command) && always.includes(imported))
  );
}

/** The groups of what is in no edition. */
export function commonGroups(graph: ModuleGraph, programs: readonly Program[], editions: readonly Edition[]): Groups {
  const used = programs.flatMap((program): readonly Program[] => {
    if (program.edition === undefined) return [program];
    return hasOneName(program.edition) ? [] : [{ ...program, weight: 1, isSpare: false }];
  });
  const common = [...used, ...otherCommands(graph)];
  const known = new Set(common.flatMap(({ modules }) => loadedWith(graph, modules)));
  const others = outside(graph, editions).filter((module) => !known.has(module));
  return shareChunks(graph, [...common, ...loadedRarely(others, [MAIN])], STARTS);
}

/** What is imported dynamically outside of all editions. */
function outside(graph: ModuleGraph, editions: readonly Edition[]): readonly string[] {
  const found = new Set(loadedWith(graph, [MAIN, THREAD]));
  const targets = new Set<string>();
  // Grows while it is gone through.
  for (const importer of found) {
    for (const imported of later(graph, importer)) {
      if (isOutside({ importer, imported, edition: undefined }, editions)) continue;
      targets.add(imported);
      for (const other of loadedWith(graph, [imported])) found.add(other);
    }
  }
  return [...targets];
}

/** Uses of the executable in which one of some modules is loaded, besides what always is. */
function loadedRarely(modules: readonly string[], always: readonly string[]): readonly Program[] {
  return [...new Set(modules)].map((module) => {
    return { name: module, modules: [...always, module], weight: 1, isSpare: false };
  });
}

/** Whether a command is always called in its edition; others have a second name, as `container run`. */
function hasOneName(command: string): boolean {
  return command.startsWith("internal ");
}

/** What follows the paths of an edition's modules. */
export function editionTag(command: string): string {
  return command.replace(" ", "-");
}

/** All that may ever be loaded when some modules are, as long as only they are chosen. */
function reachable(graph: ModuleGraph, chosen: readonly string[]): ReadonlySet<string> {
  const found = new Set(loadedWith(graph, chosen));
  // Grows while it is gone through.
  for (const module of found) {
    if (CHOOSERS.has(module)) continue;
    for (const other of loadedWith(graph, later(graph, module))) found.add(other);
  }
  return found;
}

function later(graph: ModuleGraph, module: string): readonly string[] {
  return graph.get(module)?.dynamicImports ?? [];
}
