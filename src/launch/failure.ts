/*
 * What a failing launch program says, and how that becomes an error for people.
 *
 * The interpreter writes one record of 8 bytes: u32, the place of the operation that failed, counted from the slots in
 * units of OPERATION_SIZE, and i32, the negated result: a positive errno, 0 for "no errno", or the negated status that
 * a `fail` operation took from a slot. What the operation was about only the side that built the program knows; it
 * keeps the descriptions as a table, which is plain JSON so that a process that comes later can read a record too.
 */
import { BunkerError, type ErrorDetails } from "../sys/error.ts";
import { OPERATION_SIZE, SLOTS_SIZE } from "./operation.ts";

/**
 * What an operation does, for the error if it fails: the details of a `BunkerError` without errno. The code is
 * `launch_failed` unless given.
 */
export interface OperationDescription extends Omit<ErrorDetails, "code" | "errno" | "excerpt"> {
  /** Instead of `object`: the index of the slot that holds it, for operations in a loop; see `LaunchProgram.forEach`. */
  readonly objectSlot?: number | undefined;
  readonly code?: string | undefined;
}

/** The descriptions of those operations that can fail, by the operation's index. */
export type FailureTable = readonly (OperationDescription & { readonly index: number })[];

/** Bytes of a failure record. */
export const FAILURE_RECORD_SIZE = 8;

/**
 * Makes the error that a failure record stands for.
 * @param record the first `FAILURE_RECORD_SIZE` bytes that came through the error descriptor
 * @param table of the program that wrote it
 */
export function errorFromFailureRecord(record: Uint8Array, table: FailureTable): BunkerError {
  const view = new DataView(record.buffer, record.byteOffset, FAILURE_RECORD_SIZE);
  const index = view.getUint32(0, true) - SLOTS_SIZE / OPERATION_SIZE;
  const cause = view.getInt32(4, true);
  const description = table.find((entry) => entry.index === index);
  const reason = description?.reason ?? (cause < 0 ? `status ${-cause}` : undefined);
  return new BunkerError({
    code: description?.code ?? "launch_failed",
    operation: description?.operation ?? `execute operation ${index} of the launch program`,
    object: description?.object,
    reason,
    errno: cause > 0 ? cause : undefined,
    hint: description?.hint,
    exitStatus: description?.exitStatus,
  });
}
