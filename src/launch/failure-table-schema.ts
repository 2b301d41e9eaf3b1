import * as v from "valibot";
import type { FailureTable } from "./failure.ts";

/** The valibot schema of a `FailureTable` read back from a file. */
export const failureTableSchema = v.array(
  v.object({
    index: v.number(),
    operation: v.string(),
    object: v.optional(v.string()),
    objectSlot: v.optional(v.number()),
    reason: v.optional(v.string()),
    hint: v.optional(v.string()),
    code: v.optional(v.string()),
    exitStatus: v.optional(v.number()),
  }),
) satisfies v.GenericSchema<unknown, FailureTable>;
