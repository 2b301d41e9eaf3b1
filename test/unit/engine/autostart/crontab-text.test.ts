import { describe, expect, test } from "bun:test";
import { ownLines, withOwnLine, withoutOwnLines } from "../../../../src/engine/autostart/crontab-text.ts";
import { type ByteString, encodeText } from "../../../../src/sys/byte-string.ts";

const line = encodeText("@reboot /opt/bunker autostart run");
const mark = encodeText(
  `# Made by "bunker autostart enable"; "bunker autostart disable" removes it and the line below.`,
);
const other = encodeText("@reboot XDG_DATA_HOME=/x '/old place/bunker' autostart run");

test.each<[string, string, string, string, readonly ByteString[]]>([
  ["nothing", "", `${mark}\n${line}\n`, "", []],
  ["the user's own", "MAILTO=me\n\n0 0 * * * true\n", `MAILTO=me\n\n0 0 * * * true\n${mark}\n${line}\n`, "", []],
  ["no newline at the end", "0 0 * * * true", `0 0 * * * true\n${mark}\n${line}\n`, "0 0 * * * true\n", []],
  ["bytes that are no text", "# \xff\xe9\n", `# \xff\xe9\n${mark}\n${line}\n`, "", []],
  ["ours already", `a\n${mark}\n${line}\nb\n`, `a\n${mark}\n${line}\nb\n`, "a\nb\n", [line]],
  ["another executable's", `a\n${mark}\n${other}\nb\n`, `a\n${mark}\n${line}\nb\n`, "a\nb\n", [other]],
  ["one that was typed", `${line}\nb\n`, `${mark}\n${line}\nb\n`, "b\n", [line]],
  ["two of them", `${mark}\n${other}\na\n${line}\n`, `${mark}\n${line}\na\n`, "a\n", [other, line]],
  [
    "a mark that lost its line",
    `${mark}\n0 0 * * * true\n`,
    `${mark}\n${line}\n0 0 * * * true\n`,
    "0 0 * * * true\n",
    [],
  ],
  ["another's without a mark", `${other}\n`, `${other}\n${mark}\n${line}\n`, `${other}\n`, []],
  ["only a mark at the end", `a\n${mark}`, `a\n${mark}\n${line}\n`, "a\n", []],
])("a crontab with %s", (_, before, enabled, disabled, own) => {
  const crontab = before as ByteString;
  expect(withOwnLine(crontab, line)).toBe(enabled as ByteString);
  expect(withoutOwnLines(crontab, line)).toBe((disabled || (own.length === 0 ? before : "")) as ByteString);
  expect(ownLines(crontab, line)).toEqual(own);
});

describe.each(["", "0 0 * * * true\n", `${other}\n`])("with %j before", (before) => {
  test("enabled twice is enabled once, and disabled leaves what was there", () => {
    const once = withOwnLine(before as ByteString, line);
    expect(withOwnLine(once, line)).toBe(once);
    expect(withoutOwnLines(once, line)).toBe(before as ByteString);
  });
});
