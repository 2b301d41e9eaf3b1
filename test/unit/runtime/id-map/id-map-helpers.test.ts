import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { launch, readFailure } from "../../../../src/launch/launch.ts";
import { LaunchProgram } from "../../../../src/launch/program.ts";
import { helpersToLaunch, startHelpers } from "../../../../src/runtime/id-map/id-map-helpers.ts";
import { errnoName } from "../../../../src/sys/errno.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import { FileDescriptor } from "../../../../src/sys/file-descriptor.ts";
import { waitForExit } from "../../../../src/sys/process.ts";
import { check, SystemCall, systemCall } from "../../../../src/sys/system-call.ts";
import { withDescriptorsBelow } from "../../../descriptor-limit.ts";

const RLIMIT_NPROC = 6;

function ownChildren(): readonly string[] {
  return readdirSync("/proc/self/task").flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, "utf8").trim().split(" ").filter(Boolean),
  );
}

/** The numbers of the descriptors that the next ones get. */
function nextDescriptors(count: number): readonly number[] {
  const opened = Array.from({ length: count }, () => new FileDescriptor(check(systemCall(SystemCall.dup, 0), "copy")));
  const numbers = opened.map(({ number }) => number);
  for (const descriptor of opened) descriptor.close();
  return numbers;
}

test("helpers that nobody could start are not waited for", () => {
  const mapping = { containerID: 0, hostID: 100_000, size: 1 };
  using helpers = helpersToLaunch({ uidMappings: [mapping], gidMappings: [mapping] });
  using program = new LaunchProgram(1 << 16);
  const limit = program.bytes(Buffer.alloc(16));
  program.call("prlimit64", [0, RLIMIT_NPROC, limit, 0], { operation: "permit no process" });
  // Only root is above that limit.
  if (process.getuid?.() === 0) program.call("setresuid", [65534, 65534, 65534], { operation: "become somebody" });
  const self = program.slot("self");
  program.call("getpid", [], { operation: "ask for the pid" }, { result: self });
  program.apart(() => helpers.start(program, self));
  program.call("exit_group", [0], { operation: "end" });
  const child = launch(program, { flags: 0 });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  const failure = readFailure(child, program);
  expect(waitForExit(child.pid)).toEqual({ exitCode: 127 });
  expect(failure?.message).toContain("start newuidmap: EAGAIN");
  helpers.finish(child, program);
});

test("of helpers nothing is left where there are too few descriptors for both", () => {
  const mapping = { containerID: 0, hostID: 100_000, size: 1 };
  const [first = 0, ...numbers] = nextDescriptors(12);
  const childrenBefore = ownChildren();
  const outcomes = [first, ...numbers].map((limit) => {
    let outcome = "started";
    withDescriptorsBelow(limit, () => {
      try {
        const finish = startHelpers(process.pid, { uidMappings: [mapping], gidMappings: [mapping] });
        // Nobody may map the ids of this process.
        expect(finish).toThrow("map ids by newuidmap");
      } catch (error) {
        outcome = error instanceof BunkerError ? errnoName(error.errno ?? 0) : String(error);
      }
    });
    expect(nextDescriptors(1)).toEqual([first]);
    expect(ownChildren()).toEqual(childrenBefore);
    return outcome;
  });
  const refused = outcomes.indexOf("started");
  // Each of the two needs several.
  expect(refused).toBeGreaterThan(5);
  expect(outcomes).toEqual(outcomes.map((_, index) => (index < refused ? "EMFILE" : "started")));
});
