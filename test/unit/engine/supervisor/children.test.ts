import { expect, test } from "bun:test";

test("the end of a child is told, whoever has reaped it", () => {
  const script = `${import.meta.dir}/fixtures/children.ts`;
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, script]);
  expect({ exitCode, errors: stderr.toString() }).toEqual({ exitCode: 0, errors: "" });
  expect(stdout.toString()).toBe("end: 3\nbe killed: undefined\n".repeat(2));
});
