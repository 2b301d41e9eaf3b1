/*
 * The compiler of seccomp filters: from `linux.seccomp` of config.json to a classic BPF program; seccomp(2).
 *
 * The program first asks through which interface a call comes (`arch` of struct seccomp_data; x32 is told from x86-64
 * by a bit of the number), then looks the number up by binary search over maximal ranges with one verdict, so a call
 * costs about log2(ranges) comparisons; for Docker's default profile, seven. A verdict is a result or a list of rules
 * that compare arguments (conditions.ts). Equal lists are emitted once, whatever calls and interfaces share them.
 *
 * What a configuration means, where the specification leaves it open:
 *
 * - The native interface is always filtered, listed or not. A call through an interface of this host that is not
 *   listed kills the process. Listed interfaces that this host cannot have are left out. (libseccomp: the same, but it
 *   kills the thread only.)
 * - A rule with the default action and the default's errno says nothing and is left out, as in runc and crun.
 * - A rule without `args` decides alone, wherever it stands, over rules with `args` for the same call; the first such
 *   rule wins. That is libseccomp's order. Among rules with `args` the first in the document that matches wins;
 *   libseccomp prefers equalities, and refuses some conflicts. Without conflicting actions there is no difference.
 * - Two comparisons of one argument in one rule are two rules (see `conditionalRules`).
 * - Unknown numbers: unless the default action lets calls through (ALLOW, LOG) or leaves them to somebody who knows
 *   better (TRACE, NOTIFY), a number above the newest call that the configuration names gets ENOSYS. C libraries try
 *   new calls and fall back to older ones on ENOSYS, but not on EPERM. runc does the same for every such default, KILL
 *   included. Numbers below that the configuration does not name get the default action.
 * - Names that no filtered interface has are skipped and reported as a warning.
 * - 32-bit x86 reaches the socket and System V IPC calls also through `socketcall` and `ipc`. Rules cover that way
 *   too. The arguments of the inner call are in memory there, which no filter can read: a rule with `args` covers the
 *   inner call as a whole if it forbids, and not at all if it permits. (libseccomp permits it as a whole.)
 * - Without `flags`, SPEC_ALLOW is set, as runc does; with an empty list it is not.
 */
import type { Architecture } from "../../sys/architecture.ts";
import { BunkerError } from "../../sys/error.ts";
import { AUDIT_ARCH_X86_64, hostInterfaces, X32_BIT } from "./architectures.ts";
import { emitRules } from "./conditions.ts";
import { INSTRUCTION_SIZE, type Label, Program, type Range } from "./program.ts";
import { isPermissive, RESULT_ENOSYS, resultOf, SECCOMP_RET_KILL_PROCESS } from "./results.ts";
import type { Seccomp, SeccompFlag } from "./seccomp.ts";
import { appendRanges, tabulate, type Verdict, type VerdictRange } from "./verdicts.ts";

/** Something that a configuration asks for and that has no effect. */
type FilterWarning =
  | { readonly kind: "unknown-system-calls"; readonly names: readonly string[] }
  | { readonly kind: "flag-without-notification"; readonly flag: SeccompFlag };

/** Who answers the notifications of a filter. */
interface FilterListener {
  readonly path: string;
  readonly metadata: string | undefined;
}

/** A filter as seccomp(2) takes it. */
export interface CompiledFilter {
  /** An array of struct sock_filter: 8 bytes each, at most 4096. */
  readonly program: Uint8Array<ArrayBuffer>;
  readonly instructionCount: number;
  /** For `seccomp(SECCOMP_SET_MODE_FILTER, flags, …)`: a bit set. With `listener`, the call returns a descriptor. */
  readonly flags: number;
  /** Where the descriptor that seccomp(2) returns has to be sent; undefined when it returns none. */
  readonly listener: FilterListener | undefined;
  readonly warnings: readonly FilterWarning[];
}

const NUMBER_OFFSET = 0;
const ARCH_OFFSET = 4;

/** Bits of the flags of seccomp(2); linux/seccomp.h. */
export const SECCOMP_FLAG_BITS: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1 << 0,
  SECCOMP_FILTER_FLAG_LOG: 1 << 1,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 1 << 2,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 1 << 5,
};
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3;
const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 1 << 4;

/**
 * Emits the search for a number.
 * @param emitted the rules emitted so far, which equal rules use again
 */
function emitSearch(
  program: Program,
  emitted: Map<string, Label>,
  ranges: readonly VerdictRange[],
  defaultResult: number,
): Label {
  const targets = new Map<Verdict, Label>();
  for (const { verdict } of ranges) {
    if (typeof verdict === "number") continue;
    const key = verdict.map((rule) => rule.key).join(";");
    const label = emitted.get(key) ?? emitRules(program, verdict, defaultResult);
    emitted.set(key, label);
    targets.set(verdict, label);
  }
  // After the rules, so that the returns are near to the search.
  for (const { verdict } of ranges) {
    if (typeof verdict === "number" && !targets.has(verdict)) targets.set(verdict, program.return(verdict));
  }
  const search = ranges.map(({ start, verdict }): Range => ({ start, target: targets.get(verdict) ?? 0 }));
  return program.load(NUMBER_OFFSET, program.search(search));
}

function flagsOf(seccomp: Seccomp, notifies: boolean, warnings: FilterWarning[]): number {
  let flags = notifies ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  for (const flag of seccomp.flags ?? ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]) {
    if (flag === "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" && !notifies) {
      // The kernel refuses it without a listener, of whom alone it speaks.
      warnings.push({ kind: "flag-without-notification", flag });
    } else flags |= SECCOMP_FLAG_BITS[flag];
  }
  // With both, the result could not say whether it is a descriptor or a thread that could not follow.
  const both = SECCOMP_FLAG_BITS.SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER;
  return (flags & both) === both ? flags | SECCOMP_FILTER_FLAG_TSYNC_ESRCH : flags;
}

function listenerOf(seccomp: Seccomp, notifies: boolean): FilterListener | undefined {
  const { listenerPath: path, listenerMetadata: metadata } = seccomp;
  if (path === undefined && (notifies || metadata !== undefined)) {
    throw new BunkerError({
      code: "seccomp_listener_missing",
      operation: "compile the seccomp filter",
      reason: `${notifies ? "SCMP_ACT_NOTIFY" : "listenerMetadata"} needs listenerPath`,
      hint: "Set linux.seccomp.listenerPath to the unix socket of the agent that answers.",
    });
  }
  return notifies && path !== undefined ? { path, metadata } : undefined;
}

/**
 * Compiles `linux.seccomp` of the OCI runtime specification 1.2.
 * @param seccomp the configuration, whose shape has been checked
 * @param host the architecture that the filter will run on
 * @throws BunkerError `seccomp_value_invalid`, `seccomp_argument_invalid`, `seccomp_errno_invalid`,
 *   `seccomp_listener_missing`, `seccomp_filter_too_long`
 */
export function compile(seccomp: Seccomp, host: Architecture): CompiledFilter {
  const { defaultAction, architectures = [], syscalls = [] } = seccomp;
  const defaultResult = resultOf(defaultAction, seccomp.defaultErrnoRet);
  const newerResult = isPermissive(defaultResult) ? defaultResult : RESULT_ENOSYS;
  const notifies = defaultAction === "SCMP_ACT_NOTIFY" || syscalls.some(({ action }) => action === "SCMP_ACT_NOTIFY");
  const listener = listenerOf(seccomp, notifies);

  const interfaces = hostInterfaces(host);
  const listed = interfaces.others.filter((face) => architectures.includes(face.name));
  const { tables, unknown } = tabulate(syscalls, [...listed, interfaces.native], defaultResult);

  const program = new Program();
  const emitted = new Map<string, Label>();
  let start = program.return(SECCOMP_RET_KILL_PROCESS);
  const x32 = tables.find(({ face }) => face.base === X32_BIT);
  // Written backwards: the native interface, last of all, is the first to be recognised.
  for (const table of tables) {
    if (table === x32) continue;
    const ranges: VerdictRange[] = [];
    const { audit } = table.face;
    if (audit === AUDIT_ARCH_X86_64) {
      appendRanges(ranges, table, defaultResult, newerResult);
      if (x32 === undefined) ranges.push({ start: X32_BIT, verdict: SECCOMP_RET_KILL_PROCESS });
      else appendRanges(ranges, x32, defaultResult, newerResult);
      // -1 is no x32 call but what a program or a tracer puts in the place of a number.
      ranges.push({ start: 0xffff_ffff, verdict: table.newest < 0 ? defaultResult : newerResult });
    } else appendRanges(ranges, table, defaultResult, newerResult);
    start = program.ifEqual(audit, emitSearch(program, emitted, ranges, defaultResult), start);
  }
  program.load(ARCH_OFFSET, start);

  const warnings: FilterWarning[] = [];
  if (unknown.length > 0) warnings.push({ kind: "unknown-system-calls", names: unknown });
  const flags = flagsOf(seccomp, notifies, warnings);
  const bytes = program.assemble();
  return { program: bytes, instructionCount: bytes.length / INSTRUCTION_SIZE, flags, listener, warnings };
}
