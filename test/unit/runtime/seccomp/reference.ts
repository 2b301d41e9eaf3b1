/** What a configuration says about a call, found by reading its rules one after the other. */
import {
  hostInterfaces,
  multiplexerOf,
  numberOf,
  type SystemCallInterface,
} from "../../../../src/runtime/seccomp/architectures.ts";
import type { Seccomp, SeccompAction, SeccompArgument } from "../../../../src/runtime/seccomp/seccomp.ts";
import type { Architecture } from "../../../../src/sys/architecture.ts";
import type { Call } from "./simulator.ts";

export const KILL_PROCESS = 0x8000_0000;
export const ENOSYS = 0x0005_0026;

const ACTIONS: Record<SeccompAction, number> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_PROCESS: KILL_PROCESS,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
};

const PERMISSIVE: readonly SeccompAction[] = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY"];

export function resultOf(action: SeccompAction, errno: number | undefined): number {
  const takesErrno = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return ACTIONS[action] + (takesErrno ? (errno ?? 1) : 0);
}

function matches(condition: SeccompArgument, call: Call, narrow: boolean): boolean {
  const low = (value: bigint) => (narrow ? BigInt.asUintN(32, value) : value);
  const argument = call.args[condition.index] ?? 0n;
  const value = BigInt(condition.value);
  switch (condition.op) {
    case "SCMP_CMP_NE":
      return argument !== low(value);
    case "SCMP_CMP_EQ":
      return argument === low(value);
    case "SCMP_CMP_LT":
      return argument < value;
    case "SCMP_CMP_LE":
      return argument <= value;
    case "SCMP_CMP_GE":
      return argument >= value;
    case "SCMP_CMP_GT":
      return argument > value;
    case "SCMP_CMP_MASKED_EQ":
      return (argument & low(value)) === (BigInt(condition.valueTwo ?? 0) & low(value));
  }
}

function allMatch(args: readonly SeccompArgument[], call: Call, narrow: boolean): boolean {
  const sameTwice = args.some((one, index) => args.findIndex((other) => other.index === one.index) !== index);
  return sameTwice ? args.some((one) => matches(one, call, narrow)) : args.every((one) => matches(one, call, narrow));
}

function interfaceOf(seccomp: Seccomp, host: Architecture, call: Call): SystemCallInterface | undefined {
  const { native, others } = hostInterfaces(host);
  const isX32 = host === "x86-64" && call.audit === native.audit && call.number >= 0x4000_0000;
  if (call.audit === native.audit && (!isX32 || call.number === 0xffff_ffff)) return native;
  return others.find(
    (face) =>
      face.audit === call.audit &&
      (seccomp.architectures ?? []).includes(face.name) &&
      (face.audit !== native.audit || isX32),
  );
}

export function evaluate(seccomp: Seccomp, host: Architecture, call: Call): number {
  const face = interfaceOf(seccomp, host, call);
  if (face === undefined) return KILL_PROCESS;
  const number = call.number - face.base;
  const defaultResult = resultOf(seccomp.defaultAction, seccomp.defaultErrnoRet);
  let conditional: number | undefined;
  let unconditional: number | undefined;
  let newest = -1;
  let isNamed = false;
  for (const rule of seccomp.syscalls ?? []) {
    const result = resultOf(rule.action, rule.errnoRet);
    const args = rule.args ?? [];
    for (const name of rule.names) {
      const own = numberOf(face, name);
      const multiplexer = face.multiplexes ? multiplexerOf(name) : undefined;
      for (const known of [own, multiplexer?.number])
        if (known !== undefined && known < 0xf0000) newest = Math.max(newest, known);
      if (result === defaultResult) continue;
      if (own === number) {
        isNamed = true;
        if (args.length === 0) unconditional ??= result;
        else if (allMatch(args, call, face.narrow)) conditional ??= result;
      }
      if (multiplexer?.number === number && Number((call.args[0] ?? 0n) & 0xffffn) === multiplexer.inner) {
        if (args.length === 0 || !PERMISSIVE.includes(rule.action)) conditional ??= result;
      }
    }
  }
  const decided = unconditional ?? conditional;
  if (decided !== undefined) return decided;
  const isNewer = newest >= 0 && number > newest && !isNamed;
  return isNewer && !PERMISSIVE.includes(seccomp.defaultAction) ? ENOSYS : defaultResult;
}
