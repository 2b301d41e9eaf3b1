/*
 * Rules that compare arguments, and their code.
 *
 * The rules of one system call are asked in the order of the document; the first whose conditions all hold decides.
 * A filter sees a 64-bit argument as two 32-bit halves. Every comparison but the masked one says that an argument lies
 * in one or two intervals, so consecutive rules that each look at one and the same argument are one table: a partition
 * of the 64-bit numbers, each part with the result of the first rule that covers it. It is searched like the call
 * numbers are, first by the upper half, then, where that half alone does not decide, by the lower half. Twenty rules
 * "first argument equals n", as profiles have them for socket(2), so cost six comparisons and not forty. Other rules
 * are tested one after the other.
 */
import { BunkerError } from "../../sys/error.ts";
import type { Label, Program, Range } from "./program.ts";
import type { SeccompArgument, SeccompValue } from "./seccomp.ts";

/** A condition on one argument with its values checked. */
interface Condition {
  readonly index: number;
  /** Half-open intervals of the unsigned 64-bit numbers, or a mask and what must be left of the argument under it. */
  readonly test: readonly Interval[] | Masked;
  readonly key: string;
}

interface Interval {
  readonly start: bigint;
  readonly end: bigint;
}

interface Masked {
  readonly mask: bigint;
  readonly value: bigint;
}

/** A rule of one system call with at least one condition. */
export interface ConditionalRule {
  readonly conditions: readonly Condition[];
  /** The `SECCOMP_RET_…` value with its data. */
  readonly result: number;
  /** The same for rules that do the same. */
  readonly key: string;
}

const LIMIT = 1n << 64n;
const WORD = 0xffff_ffffn;

// struct seccomp_data of linux/seccomp.h: nr, arch, instruction_pointer, args[6].
const ARGUMENTS_OFFSET = 16;

function isMasked(test: Condition["test"]): test is Masked {
  return "mask" in test;
}

function checkedValue(value: SeccompValue, operation: string): bigint {
  const valid = typeof value === "bigint" ? value >= 0n && value < LIMIT : Number.isSafeInteger(value) && value >= 0;
  if (valid) return BigInt(value);
  throw new BunkerError({
    code: "seccomp_value_invalid",
    operation,
    object: String(value),
    reason:
      typeof value === "number" && Number.isInteger(value) && value >= 0
        ? "integers from 2^53 on lose bits as a JSON number"
        : "not an unsigned 64-bit integer",
  });
}

function intervals(op: Exclude<SeccompArgument["op"], "SCMP_CMP_MASKED_EQ">, value: bigint): readonly Interval[] {
  const below = { start: 0n, end: value };
  const equal = { start: value, end: value + 1n };
  const above = { start: value + 1n, end: LIMIT };
  switch (op) {
    case "SCMP_CMP_LT":
      return [below];
    case "SCMP_CMP_LE":
      return [below, equal];
    case "SCMP_CMP_EQ":
      return [equal];
    case "SCMP_CMP_GE":
      return [equal, above];
    case "SCMP_CMP_GT":
      return [above];
    case "SCMP_CMP_NE":
      return [below, above];
  }
}

/**
 * Checks a condition.
 * @param narrow whether arguments are 32 bits wide. Tests for equality then take the lower half of their values, so
 *   that -1 written in 64 bits is -1 there too; tests of order compare with the whole value.
 * @throws BunkerError `seccomp_value_invalid`, `seccomp_argument_invalid`
 */
function condition(argument: SeccompArgument, narrow: boolean): Condition {
  const { index, op } = argument;
  if (!Number.isInteger(index) || index < 0 || index > 5) {
    throw new BunkerError({
      code: "seccomp_argument_invalid",
      operation: "compile the seccomp filter",
      object: `argument ${index}`,
      reason: "system calls have the arguments 0 to 5",
    });
  }
  const width = narrow ? WORD : LIMIT - 1n;
  const value = checkedValue(argument.value, "compile the seccomp filter, value");
  if (op === "SCMP_CMP_MASKED_EQ") {
    const mask = value & width;
    const masked = checkedValue(argument.valueTwo ?? 0, "compile the seccomp filter, valueTwo") & mask;
    return { index, test: { mask, value: masked }, key: `${index}&${mask}=${masked}` };
  }
  const compared = op === "SCMP_CMP_EQ" || op === "SCMP_CMP_NE" ? value & width : value;
  return { index, test: intervals(op, compared), key: `${index}${op}${compared}` };
}

/**
 * The conditional rules that a list of arguments stands for: one that asks for all of them, or, when two of them look
 * at the same argument, one for each of them, of which any suffices. That is what runc and crun do, because libseccomp
 * cannot compare an argument twice in a rule.
 * @param result the `SECCOMP_RET_…` value with its data
 * @param narrow whether arguments are 32 bits wide
 * @throws BunkerError `seccomp_value_invalid`, `seccomp_argument_invalid`
 */
export function conditionalRules(
  args: readonly SeccompArgument[],
  result: number,
  narrow: boolean,
): readonly ConditionalRule[] {
  const conditions = args.map((argument) => condition(argument, narrow));
  const repeated = new Set(args.map((argument) => argument.index)).size < args.length;
  const alternatives = repeated ? conditions.map((single) => [single]) : [conditions];
  return alternatives.map((all) => ({
    conditions: all,
    result,
    key: `${all.map((one) => one.key).join()}:${result}`,
  }));
}

/** A part of the 64-bit numbers, up to the next part; no result means that another rule decides. */
interface Part {
  readonly start: bigint;
  readonly result: Label;
}

/** Gives the numbers of `interval` the result `result`. */
function paint(parts: readonly Part[], interval: Interval, result: Label): readonly Part[] {
  const { start, end } = interval;
  if (start >= end) return parts;
  const after = parts.findLast((part) => part.start <= end);
  return [
    ...parts.filter((part) => part.start < start),
    { start, result },
    ...(end < LIMIT && after !== undefined ? [{ start: end, result: after.result }] : []),
    ...parts.filter((part) => part.start > end),
  ];
}

/** Emits the search for the part that holds an argument; `painted` by rising start, the first at 0. */
function searchParts(program: Program, index: number, painted: readonly Part[]): Label {
  const parts = painted.filter((part, position) => part.result !== painted[position - 1]?.result);
  const offset = ARGUMENTS_OFFSET + 8 * index;
  // The upper halves at which something may change: where a part starts, and after those inside which one does.
  const uppers = new Set<bigint>();
  for (const { start } of parts) {
    uppers.add(start >> 32n);
    if ((start & WORD) !== 0n && start >> 32n < WORD) uppers.add((start >> 32n) + 1n);
  }
  const ranges: Range[] = [];
  for (const upper of [...uppers].sort((a, b) => (a < b ? -1 : 1))) {
    const first = upper << 32n;
    const entry = parts.findLast((part) => part.start <= first);
    const inside = parts.filter((part) => part.start > first && part.start >> 32n === upper);
    const lowers = inside.map((part) => ({ start: Number(part.start & WORD), target: part.result }));
    const search = program.search([{ start: 0, target: entry?.result ?? 0 }, ...lowers]);
    ranges.push({ start: Number(upper), target: inside.length > 0 ? program.load(offset, search) : search });
  }
  const search = program.search(ranges);
  return ranges.length > 1 ? program.load(offset + 4, search) : search;
}

function testCondition(program: Program, condition: Condition, whenTrue: Label, whenFalse: Label): Label {
  const { index, test } = condition;
  if (!isMasked(test)) {
    let parts: readonly Part[] = [{ start: 0n, result: whenFalse }];
    for (const interval of test) parts = paint(parts, interval, whenTrue);
    return searchParts(program, index, parts);
  }
  const offset = ARGUMENTS_OFFSET + 8 * index;
  let next = whenTrue;
  for (const [half, shift] of [
    [0, 0n],
    [4, 32n],
  ] as const) {
    const mask = Number((test.mask >> shift) & WORD);
    if (mask === 0) continue;
    const compare = program.ifEqual(Number((test.value >> shift) & WORD), next, whenFalse);
    next = program.load(offset + half, mask === 0xffff_ffff ? compare : program.and(mask, compare));
  }
  return next;
}

/** The argument that a rule looks at if a table can hold the rule, else undefined. */
function tableIndex(rule: ConditionalRule): number | undefined {
  const [first, second] = rule.conditions;
  return first === undefined || second !== undefined || isMasked(first.test) ? undefined : first.index;
}

/** Emits a table: rules that each have one interval condition, on the same argument. */
function testTable(program: Program, index: number, rules: readonly ConditionalRule[], otherwise: Label): Label {
  const targets = new Map(rules.map((rule) => [rule.result, program.return(rule.result)]));
  let parts: readonly Part[] = [{ start: 0n, result: otherwise }];
  for (const rule of rules.toReversed()) {
    for (const { test } of rule.conditions) {
      if (isMasked(test)) continue;
      for (const interval of test) parts = paint(parts, interval, targets.get(rule.result) ?? otherwise);
    }
  }
  return searchParts(program, index, parts);
}

/**
 * Emits the rules of a system call.
 * @param rules in order of precedence
 * @param otherwise the result when none matches
 */
export function emitRules(program: Program, rules: readonly ConditionalRule[], otherwise: number): Label {
  let next = program.return(otherwise);
  let end = rules.length;
  while (end > 0) {
    const last = rules[end - 1];
    if (last === undefined) break;
    const index = tableIndex(last);
    let start = end - 1;
    if (index === undefined) {
      const whenFalse = next;
      const target = program.return(last.result);
      next = last.conditions.reduceRight((label, one) => testCondition(program, one, label, whenFalse), target);
    } else {
      while (start > 0 && rules.slice(start - 1, start).every((rule) => tableIndex(rule) === index)) start--;
      next = testTable(program, index, rules.slice(start, end), next);
    }
    end = start;
  }
  return next;
}
