import { readSync, writeSync } from "node:fs";
import * as v from "valibot";
import { errorFromFailureRecord, FAILURE_RECORD_SIZE } from "../../launch/failure.ts";
import { failureTableSchema } from "../../launch/failure-table-schema.ts";
import { setBlocking } from "../../sys/blocking.ts";
import { BunkerError } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { check } from "../../sys/system-call.ts";
import { runLateHooks } from "../late-hooks.ts";
import type { ContainerDirectory } from "./container-record.ts";

/**
 * Lets a created container execute its command, and waits until it has.
 * @param onWarning receives what poststart hooks failed with
 * @throws BunkerError `container_not_created`, or what kept the container from executing its command
 */
export function startContainer(directory: ContainerDirectory, onWarning: (message: string) => void): void {
  directory.lock();
  const { status } = directory.state();
  using gate = status === "created" ? directory.openGate() : undefined;
  if (gate === undefined) {
    throw new BunkerError({
      code: "container_not_created",
      operation: "start container",
      object: directory.id,
      reason: `it is ${status}, not created`,
    });
  }
  using failure = openFailure(directory);
  writeSync(gate.number, ".");
  const record = Buffer.alloc(FAILURE_RECORD_SIZE);
  // The end of the file says that the exec succeeded, or that the process was killed: `state` shows which.
  if (readSync(failure.number, record) === FAILURE_RECORD_SIZE) {
    throw errorFromFailureRecord(
      record,
      v.parse(failureTableSchema, JSON.parse(directory.read("failures.json") ?? "")),
    );
  }
  runLateHooks(directory.configuration().hooks?.poststart, directory.state(), onWarning);
}

function openFailure(directory: ContainerDirectory): FileDescriptor {
  const flags = OpenFlag.O_RDONLY | OpenFlag.O_NONBLOCK;
  const failure = new FileDescriptor(check(directory.openFifo("failure", flags), "open a FIFO"));
  setBlocking(failure.number, true);
  return failure;
}
