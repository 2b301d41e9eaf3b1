import * as v from "valibot";
import { exactUnsigned64, integer, listOf, oneOf, structure, text, unsigned32 } from "./values.ts";

/** `linux.seccomp`; config-linux.md, "Seccomp". */
export function seccompSchema() {
  const action = oneOf("a seccomp action", [
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
  ]);
  return structure({
    defaultAction: action,
    defaultErrnoRet: v.optional(unsigned32()),
    architectures: v.optional(listOf(architectureSchema())),
    flags: v.optional(
      listOf(
        oneOf("a seccomp flag", [
          "SECCOMP_FILTER_FLAG_TSYNC",
          "SECCOMP_FILTER_FLAG_LOG",
          "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
          "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        ]),
      ),
    ),
    listenerPath: v.optional(text()),
    listenerMetadata: v.optional(text()),
    syscalls: v.optional(
      listOf(
        structure({
          names: v.pipe(listOf(text()), v.nonEmpty("a list with at least one system call")),
          action,
          errnoRet: v.optional(unsigned32()),
          args: v.optional(
            listOf(
              structure({
                index: integer(0, 5),
                value: exactUnsigned64(),
                valueTwo: v.optional(exactUnsigned64()),
                op: operatorSchema(),
              }),
            ),
          ),
        }),
      ),
    ),
  });
}

function operatorSchema() {
  return oneOf("a comparison", [
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
  ]);
}

function architectureSchema() {
  return oneOf("an architecture", [
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
  ]);
}
