import { expect, test } from "bun:test";
import { alignColumns } from "../../../../src/cli/format/align-columns.ts";
import { plainTable } from "../../../../src/cli/format/plain-table.ts";

/** The same table as lines with tabs. */
function lines(columns: readonly (readonly string[])[]): string {
  return (columns[0] ?? []).map((_, line) => `${columns.map((cells) => cells[line]).join("\t")}\n`).join("");
}

test.each([
  [
    "ordinary cells",
    [
      ["ID", "0123456789ab"],
      ["IMAGE", "registry.example.com/debian:12"],
      ["NAMES", "web"],
    ],
  ],
  [
    "a text that was shortened",
    [
      ["COMMAND", '"sleep with many wor…"'],
      ["NAMES", "web"],
    ],
  ],
  [
    "empty cells",
    [
      ["", ""],
      ["PORTS", ""],
      ["", "web"],
    ],
  ],
  ["a column alone", [["VOLUME NAME", "data"]]],
  ["no lines", [[], []]],
])("a table is the same as of tabs: %s", (_name, columns) => {
  expect(plainTable(columns)).toBe(alignColumns(lines(columns)));
});

test.each([
  ["an escape", "\u001b[31m"],
  ["a control character of one byte more", "\u009b"],
  ["DEL", "\u007f"],
  ["a tab", "a\tb"],
  ["a line break", "a\nb"],
  ["a wide character", "日本"],
  ["a wide character and one of no width", "日\u0007"],
  ["an accent", "é"],
  ["half a character", "\ud83d"],
])("what is not plain is left to others: %s", (_name, cell) => {
  expect(
    plainTable([
      ["NAMES", cell],
      ["ID", "1"],
    ]),
  ).toBeUndefined();
  expect(
    plainTable([
      ["ID", "1"],
      ["NAMES", cell],
    ]),
  ).toBeUndefined();
});
