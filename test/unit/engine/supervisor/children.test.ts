import { expect, test } from "bun:test";

function outputOf(fixture: string): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, `${import.meta.dir}/fixtures/${fixture}`]);
  expect({ exitCode, errors: stderr.toString() }).toEqual({ exitCode: 0, errors: "" });
  return stdout.toString();
}

test("the end of a child is told, whoever has reaped it", () => {
  expect(outputOf("children.ts")).toBe("end: 3\nbe killed: undefined\n".repeat(2));
});

test("a child that there are too few descriptors for is not started, at whichever of them", () => {
  expect(JSON.parse(outputOf("few-descriptors.ts"))).toEqual({ someRefused: true, isOver: true });
});
