import { expect, test } from "bun:test";
import { endsWithin, identify, openIdentified, processStatus, sendSignal } from "../../../src/sys/process-identity.ts";

test("a process is known by its pid and its start", async () => {
  const child = Bun.spawn(["sleep", "1000"]);
  const identity = identify(child.pid);
  if (identity === undefined) throw new Error("the child is not there");
  expect(processStatus(child.pid)?.parent).toBe(process.pid);
  expect(openIdentified({ ...identity, startTime: identity.startTime - 1 })).toBeUndefined();
  const pidfd = openIdentified(identity);
  if (pidfd === undefined) throw new Error("the child cannot be opened");
  using _pidfd = pidfd;
  expect(endsWithin(pidfd, 0)).toBe(false);
  expect(sendSignal(pidfd, 9)).toBe(true);
  expect(endsWithin(pidfd, 1000)).toBe(true);
  await child.exited;
  expect(sendSignal(pidfd, 9)).toBe(false);
  expect(identify(child.pid)).toBeUndefined();
  expect(openIdentified(identity)).toBeUndefined();
});
