import * as v from "valibot";
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "../../seccomp/seccomp.ts";
import { exactUnsigned64, integer, listOf, oneOf, structure, text, unsigned32 } from "./values.ts";

/** `linux.seccomp`; config-linux.md, "Seccomp". */
export function seccompSchema() {
  const action = oneOf("a seccomp action", SECCOMP_ACTIONS);
  return structure({
    defaultAction: action,
    defaultErrnoRet: v.optional(unsigned32()),
    architectures: v.optional(listOf(oneOf("an architecture", SECCOMP_ARCHITECTURES))),
    flags: v.optional(listOf(oneOf("a seccomp flag", SECCOMP_FLAGS))),
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
                op: oneOf("a comparison", SECCOMP_OPERATORS),
              }),
            ),
          ),
        }),
      ),
    ),
  });
}
