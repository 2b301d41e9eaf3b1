import { expect, test } from "bun:test";
import { Errno } from "../../../src/sys/errno.ts";
import { redirectingCalls } from "../../../src/sys/redirected-calls.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";

const parent = () => systemCall(SystemCall.getppid);

test("calls of some work are made in another way, and all others as ever", () => {
  const made: (readonly number[])[] = [];
  const answer = redirectingCalls(
    (number, words) => {
      made.push([number, ...words]);
      // Its own calls are this thread's.
      return -parent();
    },
    () => [parent(), systemCall(SystemCall.close, 7)],
  );
  expect(answer).toEqual([-process.ppid, -process.ppid]);
  expect(made).toEqual([
    [SystemCall.getppid, 0, 0, 0, 0, 0, 0],
    [SystemCall.close, 7, 0, 0, 0, 0, 0],
  ]);
  expect(parent()).toBe(process.ppid);
});

test("so it is when the work or the call throws, and one within the other", () => {
  const refusing = () => -Errno.EPERM;
  const failing = () => {
    throw new Error("lost");
  };
  redirectingCalls(refusing, () => {
    expect(() => redirectingCalls(failing, parent)).toThrow("lost");
    expect(redirectingCalls((number) => systemCall(number) - 1, parent)).toBe(-Errno.EPERM - 1);
    expect(parent()).toBe(-Errno.EPERM);
  });
  expect(() =>
    redirectingCalls(refusing, () => {
      throw new Error("work");
    }),
  ).toThrow("work");
  expect(parent()).toBe(process.ppid);
});
