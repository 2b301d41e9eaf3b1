import { FIRST_PRIVATE_NUMBER, multiplexerOf, numberOf, type SystemCallInterface } from "./architectures.ts";
import { type ConditionalRule, conditionalRules } from "./conditions.ts";
import { isPermissive, resultOf } from "./results.ts";
import type { SeccompRule } from "./seccomp.ts";

/** What a filter says about a number: a result, or rules that end in the default result. */
export type Verdict = number | readonly ConditionalRule[];

/** What a configuration says about the calls of one interface. */
export interface VerdictTable {
  readonly face: SystemCallInterface;
  /** By number without the interface's base; undefined for numbers without a verdict of their own. */
  readonly regular: (Verdict | undefined)[];
  /** By number above `FIRST_PRIVATE_NUMBER`. */
  readonly private: (Verdict | undefined)[];
  /** The largest regular number that the configuration names, whatever it says about it; -1 if it names none. */
  newest: number;
}

// More than any interface has.
const REGULAR_NUMBERS = 1024;

// Filled, because reading and filling holes is slow, and this is most of what compiling a long profile takes.
function emptyVerdicts(): (Verdict | undefined)[] {
  return new Array<Verdict | undefined>(REGULAR_NUMBERS).fill(undefined);
}

/** A rule without conditions decides alone, and the first of them; rules with conditions queue up. */
function enter(table: VerdictTable, number: number, verdict: Verdict): void {
  const isPrivate = number >= FIRST_PRIVATE_NUMBER;
  const verdicts = isPrivate ? table.private : table.regular;
  const position = isPrivate ? number - FIRST_PRIVATE_NUMBER : number;
  const before = verdicts[position];
  if (typeof before === "number") return;
  verdicts[position] = typeof verdict === "number" || before === undefined ? verdict : [...before, ...verdict];
}

/**
 * Enters a rule for `socketcall` or `ipc` if it is about one of their inner calls.
 * @returns whether it is
 */
function enterMultiplexed(
  table: VerdictTable,
  name: string,
  result: number,
  isRedundant: boolean,
  hasConditions: boolean,
): boolean {
  const multiplexer = multiplexerOf(name);
  if (multiplexer === undefined) return false;
  table.newest = Math.max(table.newest, multiplexer.number);
  if (isRedundant || (hasConditions && isPermissive(result))) return true;
  // The upper half of ipc's first argument is a version.
  const inner = { index: 0, op: "SCMP_CMP_MASKED_EQ", value: 0xffff, valueTwo: multiplexer.inner } as const;
  enter(table, multiplexer.number, conditionalRules([inner], result, true));
  return true;
}

/**
 * Looks up what rules say about the calls of interfaces.
 * @param rules in the order of the configuration
 * @param faces the interfaces that are filtered
 * @param defaultResult rules with the same result are left out
 * @returns a table for each of `faces`, and the names that none of them has
 * @throws BunkerError as `conditionalRules` and `resultOf`
 */
export function tabulate(
  rules: readonly SeccompRule[],
  faces: readonly SystemCallInterface[],
  defaultResult: number,
): { readonly tables: readonly VerdictTable[]; readonly unknown: readonly string[] } {
  const tables = faces.map((face): VerdictTable => ({ face, regular: emptyVerdicts(), private: [], newest: -1 }));
  const unknown = new Set<string>();
  for (const { names, action, errnoRet, args = [] } of rules) {
    const result = resultOf(action, errnoRet);
    const isRedundant = result === defaultResult;
    const hasConditions = args.length > 0;
    const wide = hasConditions ? conditionalRules(args, result, false) : result;
    // Most values fit 32 bits, and then both are the same.
    const isWide = args.some(({ value }) => value > 0xffff_ffff);
    const narrow = isWide ? conditionalRules(args, result, true) : wide;
    for (const name of names) {
      let isKnown = false;
      for (const table of tables) {
        const { face } = table;
        const number = numberOf(face, name);
        if (number !== undefined) {
          isKnown = true;
          if (number > table.newest && number < FIRST_PRIVATE_NUMBER) table.newest = number;
          if (!isRedundant) enter(table, number, face.narrow ? narrow : wide);
        }
        if (face.multiplexes && enterMultiplexed(table, name, result, isRedundant, hasConditions)) isKnown = true;
      }
      if (!isKnown) unknown.add(name);
    }
  }
  return { tables, unknown: [...unknown] };
}

/** From `start` up to the next range, or to the last number. */
export interface VerdictRange {
  readonly start: number;
  readonly verdict: Verdict;
}

/**
 * Appends the verdicts about all numbers from the interface's base on, as ranges of which no neighbours have
 * the same result.
 * @param defaultResult for numbers that the configuration does not name
 * @param newerResult for those of them that are above all that it names
 */
export function appendRanges(
  ranges: VerdictRange[],
  table: VerdictTable,
  defaultResult: number,
  newerResult: number,
): void {
  const { base } = table.face;
  // If the configuration names nothing that exists here, nothing can be said about what is newer.
  const beyond = table.newest < 0 ? defaultResult : newerResult;
  let current: Verdict | undefined;
  const append = (start: number, verdict: Verdict) => {
    if (verdict !== current) ranges.push({ start, verdict });
    current = verdict;
  };
  for (let index = 0; index <= table.newest; index++) append(base + index, table.regular[index] ?? defaultResult);
  append(base + table.newest + 1, beyond);
  for (let index = 0; index < table.private.length; index++) {
    append(FIRST_PRIVATE_NUMBER + index, table.private[index] ?? beyond);
  }
  if (table.private.length > 0) append(FIRST_PRIVATE_NUMBER + table.private.length, beyond);
}
