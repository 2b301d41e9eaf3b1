/*
 * Which modules go into one chunk.
 *
 * The bundler puts modules into one chunk when exactly the same entry points reach them, and everything that is imported
 * dynamically is one. That makes half a thousand chunks, most of them smaller than two kilobytes, and loading a chunk
 * takes as long as loading 1.4 KB of code does: for `run`, which had 150, as long as a fifth of its own code.
 *
 * Here is counted by programs instead (programs.ts). Modules that the same programs load are a group. Then groups are
 * merged, always those two first that save most: every program that loads both has a chunk less, weighed by how much that
 * program matters; every program that needs only one of them loads the other in vain, with all that it imports; and every
 * start of the executable, whatever it does, has fewer chunks to list. What a program loads with a group, then, is loaded
 * by all that load the group, so that groups import each other in one direction only. Nothing is merged when nothing is
 * saved in all.
 *
 * A group that is imported dynamically has an entry (shareEntries below). The bundler makes the entry and the group's
 * modules one chunk when only the entry reaches them, and two when other groups import them.
 */
import { isOfPackage, loadedWith, type ModuleGraph } from "./module-graph.ts";
import { MAIN, type Program } from "./programs.ts";

/** As much code takes as long to load as a chunk does besides its code. */
const CHUNK_COST = 1400;
/** As much code takes as long to load as every start takes for each chunk that there is, whether it is loaded or not. */
const LISTING_COST = 180;

interface Group {
  modules: readonly string[];
  size: number;
  /** Whether a module in it is imported dynamically. */
  isTarget: boolean;
  /** For each program whether it loads the group. */
  readonly users: Uint8Array;
  /** What is loaded with it. */
  readonly needs: Set<Group>;
  /** How many groups it is loaded with. */
  dependents: number;
}

/** Of each module that a program loads the group that it is in. */
export type Groups = ReadonlyMap<string, readonly string[]>;

/**
 * Divides modules into groups, each to be a chunk.
 * @param starts the weight of all starts of the executable, also of programs that load none of these modules
 */
export function shareChunks(graph: ModuleGraph, programs: readonly Program[], starts: number): Groups {
  const groups = groupByUsers(graph, programs);
  countDependents(groups);
  const savings = new Map(groups.map((group) => [group, new Map<Group, number>()]));
  const compare = (group: Group, others: readonly Group[]) => {
    for (const other of others) {
      if (other === group) continue;
      const saved = saving(group, other, programs, starts);
      savings.get(group)?.set(other, saved);
      savings.get(other)?.set(group, saved);
    }
  };
  for (const [index, group] of groups.entries()) compare(group, groups.slice(0, index));
  for (;;) {
    let best: { readonly first: Group; readonly second: Group; readonly saved: number } | undefined;
    for (const [first, others] of savings) {
      for (const [second, saved] of others) if (saved > (best?.saved ?? 0)) best = { first, second, saved };
    }
    if (best === undefined) break;
    const { first, second } = best;
    groups.splice(groups.indexOf(second), 1);
    savings.delete(second);
    for (const others of savings.values()) others.delete(second);
    const changed = new Set([...merge(first, second, groups), ...countDependents(groups)]);
    for (const group of changed) compare(group, groups);
  }
  return new Map(groups.flatMap(({ modules }) => modules.map((module) => [module, modules] as const)));
}

function groupByUsers(graph: ModuleGraph, programs: readonly Program[]): Group[] {
  const users = new Map<string, Uint8Array>();
  for (const [index, { modules }] of programs.entries()) {
    for (const module of loadedWith(graph, modules)) {
      const own = users.get(module) ?? new Uint8Array(programs.length);
      own[index] = 1;
      users.set(module, own);
    }
  }
  const targets = dynamicallyImported(graph);
  const groups = new Map<string, Group>();
  const groupOf = new Map<string, Group>();
  for (const [module, own] of users) {
    const key = own.join("");
    const group: Group = groups.get(key) ?? {
      modules: [],
      size: 0,
      isTarget: false,
      users: own,
      needs: new Set(),
      dependents: 0,
    };
    group.modules = [...group.modules, module];
    group.size += graph.get(module)?.size ?? 0;
    group.isTarget ||= targets.has(module);
    groups.set(key, group);
    groupOf.set(module, group);
  }
  for (const group of groups.values()) {
    for (const module of loadedWith(graph, group.modules)) {
      const needed = groupOf.get(module);
      if (needed !== undefined && needed !== group) group.needs.add(needed);
    }
  }
  return [...groups.values()];
}

/** Counts anew by how many others each group is needed; returns those for which it changed. */
function countDependents(groups: readonly Group[]): readonly Group[] {
  const counts = new Map<Group, number>();
  for (const { needs } of groups) for (const needed of needs) counts.set(needed, (counts.get(needed) ?? 0) + 1);
  return groups.filter((group) => {
    const count = counts.get(group) ?? 0;
    const hasChanged = count !== group.dependents;
    group.dependents = count;
    return hasChanged;
  });
}

/** How many chunks the executable has less when two groups are merged. */
function chunksLess(first: Group, second: Group): number {
  const between = Number(first.needs.has(second)) + Number(second.needs.has(first));
  const dependents = first.dependents + second.dependents - between;
  const isTarget = first.isTarget || second.isTarget;
  return chunksOf(first) + chunksOf(second) - chunksOf({ isTarget, dependents });
}

/** How many chunks the bundler makes of a group. */
function chunksOf({ isTarget, dependents }: Pick<Group, "isTarget" | "dependents">): number {
  return isTarget && dependents > 0 ? 2 : 1;
}

/** What merging two groups saves all programs, in weighed bytes; 0 or less: they stay apart. */
function saving(first: Group, second: Group, programs: readonly Program[], starts: number): number {
  let saved = chunksLess(first, second) * starts * LISTING_COST;
  for (let index = 0; index < programs.length; index++) {
    if (first.users[index] && second.users[index]) saved += (programs[index]?.weight ?? 0) * CHUNK_COST;
  }
  if (saved <= 0) return 0;
  saved -= first.size * weightOfNewUsers(first, second, programs);
  if (saved <= 0) return 0;
  saved -= second.size * weightOfNewUsers(second, first, programs);
  for (const needed of new Set([...first.needs, ...second.needs])) {
    if (saved <= 0) return 0;
    if (needed === first || needed === second) continue;
    const [byFirst, bySecond] = [first, second].map((user) => weightOfNewUsers(needed, user, programs));
    // Who loads one of them loads it already, or comes with the other one.
    saved -= ((byFirst ?? 0) + (bySecond ?? 0)) * (needed.size + CHUNK_COST);
  }
  return saved;
}

/** The weight of the programs that load `other` and not `group`. */
function weightOfNewUsers(group: Group, other: Group, programs: readonly Program[]): number {
  let weight = 0;
  for (let index = 0; index < programs.length; index++) {
    const program = programs[index];
    if (!other.users[index] || group.users[index] || program === undefined) continue;
    if (program.isSpare) return Number.POSITIVE_INFINITY;
    weight += program.weight;
  }
  return weight;
}

/**
 * Makes one group, the first, of two.
 * @param groups all that are left
 * @returns the groups that have other users or other needs now
 */
function merge(first: Group, second: Group, groups: readonly Group[]): readonly Group[] {
  first.modules = [...first.modules, ...second.modules];
  first.size += second.size;
  first.isTarget ||= second.isTarget;
  for (const needed of second.needs) first.needs.add(needed);
  addUsers(first, second);
  for (const group of groups) {
    if (group.needs.delete(second)) group.needs.add(first);
    if (group.needs.has(first)) for (const needed of first.needs) group.needs.add(needed);
  }
  for (const group of groups) {
    group.needs.delete(group);
    group.needs.delete(second);
  }
  return [first, ...[...first.needs].filter((needed) => addUsers(needed, first))];
}

/** Makes the users of `other` users of `group`; whether there is one more of them. */
function addUsers(group: Group, other: Group): boolean {
  let isMore = false;
  for (const [index, uses] of other.users.entries()) {
    if (!uses || group.users[index]) continue;
    group.users[index] = 1;
    isMore = true;
  }
  return isMore;
}

/**
 * Has modules that are imported dynamically and lie in one group share an entry: for each of them the modules whose entry
 * its own is, which export no name twice.
 */
export function shareEntries(graph: ModuleGraph, groups: Groups): ReadonlyMap<string, readonly string[]> {
  const targets = dynamicallyImported(graph);
  const entries = new Map<string, readonly string[]>();
  for (const group of new Set(groups.values())) {
    const shared: { readonly modules: string[]; readonly names: Set<string> }[] = [];
    for (const module of group) {
      // A package has none: it may have a default export, which an entry does not pass on.
      if (!targets.has(module) || isOfPackage(module)) continue;
      const exported = graph.get(module)?.exported ?? [];
      let entry = shared.find(({ names }) => !exported.some((name) => names.has(name)));
      if (entry === undefined) {
        entry = { modules: [], names: new Set() };
        shared.push(entry);
      }
      entry.modules.push(module);
      for (const name of exported) entry.names.add(name);
      entries.set(module, entry.modules);
    }
  }
  return entries;
}

function dynamicallyImported(graph: ModuleGraph): ReadonlySet<string> {
  // What the executable begins with imports the first.
  return new Set([MAIN, ...[...graph.values()].flatMap(({ dynamicImports }) => dynamicImports)]);
}
