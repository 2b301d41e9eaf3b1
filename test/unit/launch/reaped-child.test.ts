/* In a process of their own, since for these children a process handles SIGCHLD. */
import { expect, test } from "bun:test";

test.each(["alone", "blocked", "sent", "ended"])("the end of a child that the kernel reaps is known: %s", (how) => {
  expect(ends(how)).toEqual(['{"exitCode":0}', '{"exitCode":7}', '{"signal":9}', '{"exitCode":3}']);
});

test("an end that nobody knows is an error, and no wait for ever", () => {
  expect(ends("unknown")).toEqual(Array.from({ length: 4 }, () => "wait for process PID: ECHILD"));
});

function ends(how: string): readonly string[] {
  const fixture = `${import.meta.dir}/fixtures/reaped-child.ts`;
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, fixture, how]);
  expect({ exitCode, errors: stderr.toString() }).toEqual({ exitCode: 0, errors: "" });
  return stdout.toString().trimEnd().split("\n");
}
