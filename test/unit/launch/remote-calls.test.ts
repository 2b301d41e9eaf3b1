import { expect, test } from "bun:test";
import { readSync, writeSync } from "node:fs";
import { launch, readFailure } from "../../../src/launch/launch.ts";
import { LaunchProgram } from "../../../src/launch/program.ts";
import { RemoteCalls } from "../../../src/launch/remote-calls.ts";
import { Errno } from "../../../src/sys/errno.ts";
import { waitForExit } from "../../../src/sys/process.ts";
import { socketPair } from "../../../src/sys/socket.ts";

const what = { operation: "test" };

test("the child makes the calls that it is told, then goes on", () => {
  using program = new LaunchProgram();
  const [ours, theirs] = socketPair();
  using _ours = ours;
  const remote = new RemoteCalls(program, theirs.number, ["getppid", "umask", "close"]);
  const mask = program.slot("mask");
  program.call("umask", [0], what, { result: mask });
  program.call("exit_group", [mask], what);
  const child = launch(program, { flags: 0 });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  theirs.close();
  const exchange = {
    send: () => void writeSync(ours.number, "."),
    expect: () => expect(readSync(ours.number, Buffer.alloc(1))).toBe(1),
  };
  remote.serve(exchange, (call) => {
    expect(call("getppid")).toBe(process.pid);
    expect(call("close", 12345)).toBe(-Errno.EBADF);
    call("umask", 0o27);
    expect(call("umask", 0o21)).toBe(0o27);
  });
  expect(readFailure(child, program)).toBeUndefined();
  expect(waitForExit(child.pid)).toEqual({ exitCode: 0o21 });
});

test("the child leaves when the runtime is gone", () => {
  using program = new LaunchProgram();
  const [ours, theirs] = socketPair();
  program.call("close", [ours.number], what);
  new RemoteCalls(program, theirs.number, ["getppid"]);
  program.call("exit_group", [7], what);
  const child = launch(program, { flags: 0 });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  theirs.close();
  expect(readSync(ours.number, Buffer.alloc(1))).toBe(1);
  ours.close();
  expect(waitForExit(child.pid)).toEqual({ exitCode: 1 });
});
