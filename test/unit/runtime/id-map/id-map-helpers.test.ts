import { expect, test } from "bun:test";
import { launch, readFailure } from "../../../../src/launch/launch.ts";
import { LaunchProgram } from "../../../../src/launch/program.ts";
import { helpersToLaunch } from "../../../../src/runtime/id-map/id-map-helpers.ts";
import { waitForExit } from "../../../../src/sys/process.ts";

const RLIMIT_NPROC = 6;

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
