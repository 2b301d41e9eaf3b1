/** The names that `linux.seccomp` of the OCI runtime specification 1.2 uses, and its shape. */

/** What may happen to a system call. `SCMP_ACT_KILL` is the old name of `SCMP_ACT_KILL_THREAD`. */
export const SECCOMP_ACTIONS = [
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_LOG",
  "SCMP_ACT_NOTIFY",
] as const;
export type SeccompAction = (typeof SECCOMP_ACTIONS)[number];

/** How an argument is compared with a value. */
export const SECCOMP_OPERATORS = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
] as const;
type SeccompOperator = (typeof SECCOMP_OPERATORS)[number];

/** Every system call interface that the specification can name; `architectures.ts` has those a Bunker host can run. */
export const SECCOMP_ARCHITECTURES = [
  "SCMP_ARCH_X86",
  "SCMP_ARCH_X86_64",
  "SCMP_ARCH_X32",
  "SCMP_ARCH_ARM",
  "SCMP_ARCH_AARCH64",
  "SCMP_ARCH_MIPS",
  "SCMP_ARCH_MIPS64",
  "SCMP_ARCH_MIPS64N32",
  "SCMP_ARCH_MIPSEL",
  "SCMP_ARCH_MIPSEL64",
  "SCMP_ARCH_MIPSEL64N32",
  "SCMP_ARCH_PPC",
  "SCMP_ARCH_PPC64",
  "SCMP_ARCH_PPC64LE",
  "SCMP_ARCH_S390",
  "SCMP_ARCH_S390X",
  "SCMP_ARCH_PARISC",
  "SCMP_ARCH_PARISC64",
  "SCMP_ARCH_RISCV64",
  "SCMP_ARCH_LOONGARCH64",
  "SCMP_ARCH_M68K",
  "SCMP_ARCH_SH",
  "SCMP_ARCH_SHEB",
] as const;
export type SeccompArchitecture = (typeof SECCOMP_ARCHITECTURES)[number];

/** The flags of seccomp(2) that a configuration may ask for. */
export const SECCOMP_FLAGS = [
  "SECCOMP_FILTER_FLAG_TSYNC",
  "SECCOMP_FILTER_FLAG_LOG",
  "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
] as const;
export type SeccompFlag = (typeof SECCOMP_FLAGS)[number];

/** An unsigned 64-bit value: a number where it is a safe integer, a bigint where it is not. */
export type SeccompValue = number | bigint;

/** A comparison of one argument of a system call. */
export interface SeccompArgument {
  /** 0 to 5. */
  readonly index: number;
  readonly value: SeccompValue;
  /** Only for `SCMP_CMP_MASKED_EQ`: matches when `argument & value` equals `valueTwo & value`. */
  readonly valueTwo?: SeccompValue | undefined;
  readonly op: SeccompOperator;
}

/** What happens to the named system calls when all of `args` match. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  /** The error number of `SCMP_ACT_ERRNO` (0 to 4095), the message of `SCMP_ACT_TRACE` (0 to 65535); 1 (EPERM) if absent. */
  readonly errnoRet?: number | undefined;
  readonly args?: readonly SeccompArgument[] | undefined;
}

/** `linux.seccomp` of config.json. */
export interface Seccomp {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number | undefined;
  readonly architectures?: readonly SeccompArchitecture[] | undefined;
  readonly flags?: readonly SeccompFlag[] | undefined;
  /** The unix socket of the agent that answers `SCMP_ACT_NOTIFY`. */
  readonly listenerPath?: string | undefined;
  /** Passed to the agent as it is. */
  readonly listenerMetadata?: string | undefined;
  readonly syscalls?: readonly SeccompRule[] | undefined;
}
