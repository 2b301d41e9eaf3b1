import { expect, test } from "bun:test";
import { terminalOf } from "../../../../src/cli/progress/terminal.ts";

test.each([
  [{ columns: 120, rows: 50 }, [120, 50]],
  // script(1), and a serial line.
  [{ columns: 0, rows: 0 }, [80, 24]],
  // No terminal.
  [{}, [80, 24]],
])("a terminal with %j has the size %j", (size, expected) => {
  const { columns, rows } = terminalOf({ ...size, fd: 2 } as Parameters<typeof terminalOf>[0]);
  expect([columns, rows]).toEqual(expected as [number, number]);
});
