import { expect, test } from "bun:test";
import { LaunchProgram } from "../../../src/launch/program.ts";
import { passListener } from "../../../src/runtime/pass-listener.ts";
import { memoryAt } from "../../../src/sys/memory-at.ts";
import { openProcess } from "../../../src/sys/reactor.ts";
import { redirectingCalls } from "../../../src/sys/redirected-calls.ts";
import { pipe } from "../../../src/sys/socket.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";

test("who looks for a seccomp listener again and again sleeps each time", () => {
  using program = new LaunchProgram();
  const [errors, end] = pipe();
  using _errors = errors;
  using socket = end;
  using pidfd = openProcess(process.pid);
  const conversation = { child: { pid: process.pid, pidfd, errors }, program, socket };
  const listener = program.slot("listener plus one");
  const nanoseconds: number[] = [];
  const call = (number: number, words: readonly number[]) => {
    if (number === SystemCall.ppoll) {
      nanoseconds.push(memoryAt(words[2] ?? 0, 16).view.getUint32(8, true));
      if (nanoseconds.length === 3) program.write(listener, errors.number + 1);
    }
    return systemCall(number, ...words);
  };
  const state = { ociVersion: "1.0.0", id: "box", status: "creating", bundle: "/" } as const;
  const agent = { path: "/nobody/listens", metadata: undefined };
  const pass = () => passListener(conversation, listener, { pid: process.pid, pidfd }, agent, state);
  expect(() => redirectingCalls(call, pass)).toThrow("connect to /nobody/listens: ENOENT");
  expect(nanoseconds).toEqual([200_000, 200_000, 200_000]);
});
