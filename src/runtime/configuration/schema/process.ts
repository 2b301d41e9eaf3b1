import * as v from "valibot";
import { ResourceLimitType } from "../resource-limit-types.ts";
import { IoPriorityClass, SchedulerFlag, SchedulerPolicy } from "../scheduling.ts";
import {
  exactUnsigned64,
  flag,
  id,
  integer,
  keyOf,
  listOf,
  rare,
  signed32,
  structure,
  text,
  unsigned16,
  unsigned64,
} from "./values.ts";

/** `process`; config.md, "Process", "POSIX process" and "Linux Process". */
export function processSchema() {
  return structure({
    terminal: v.optional(flag()),
    consoleSize: v.optional(structure({ height: unsigned16(), width: unsigned16() })),
    user: v.optional(userSchema(), { uid: 0, gid: 0 }),
    args: v.pipe(listOf(text()), v.nonEmpty("a list with at least one word")),
    env: v.optional(listOf(text())),
    cwd: text(),
    capabilities: v.optional(capabilitiesSchema()),
    rlimits: rare(() =>
      listOf(
        structure({
          type: keyOf("a resource limit", ResourceLimitType),
          soft: exactUnsigned64(),
          hard: exactUnsigned64(),
        }),
      ),
    ),
    noNewPrivileges: v.optional(flag()),
    apparmorProfile: v.optional(text()),
    oomScoreAdj: v.optional(integer(-1000, 1000)),
    scheduler: rare(() =>
      structure({
        policy: keyOf("a scheduling policy", SchedulerPolicy),
        nice: v.optional(signed32()),
        priority: v.optional(signed32()),
        flags: v.optional(listOf(keyOf("a scheduler flag", SchedulerFlag))),
        runtime: v.optional(unsigned64()),
        deadline: v.optional(unsigned64()),
        period: v.optional(unsigned64()),
      }),
    ),
    selinuxLabel: v.optional(text()),
    ioPriority: rare(() =>
      structure({
        class: keyOf("an I/O scheduling class", IoPriorityClass),
        priority: v.optional(integer(0, 7), 0),
      }),
    ),
    execCPUAffinity: rare(() =>
      structure({ initial: v.optional(processorList()), final: v.optional(processorList()) }),
    ),
  });
}

function userSchema() {
  return structure({
    uid: v.optional(id(), 0),
    gid: v.optional(id(), 0),
    umask: v.optional(integer(0, 0o777)),
    additionalGids: v.optional(listOf(id())),
  });
}

function capabilitiesSchema() {
  // Unknown ones are warned of by the runtime: a later kernel may have them.
  const names = v.optional(listOf(text()));
  return structure({ bounding: names, effective: names, inheritable: names, permitted: names, ambient: names });
}

function processorList() {
  return v.pipe(text(), v.regex(/^[0-9, -]*$/, "a list of processors such as 0-3,7"));
}
