import { expect, test } from "bun:test";
import { impossibleAmbient, parseNumberList } from "../../../../src/runtime/steps/process-attributes.ts";

test.each<[string, number[]]>([
  ["", []],
  ["0", [0]],
  ["0-3,7", [0, 1, 2, 3, 7]],
  [" 1 , 2 - 3 ", [1, 2, 3]],
  ["5,1-2,1", [5, 1, 2, 1]],
  ["2-2", [2]],
  ["1023", [1023]],
  ["0,,1", [0, 1]],
])("the list %j", (text, expected) => {
  expect(parseNumberList(text)).toEqual(expected);
});

test.each(["x", "1-", "-1", "3-1", "1-2-3", "0.5", "1e2", "0x3", "1024", "1000-1024", "1 2", "0-3,x", "Infinity"])(
  "no list: %j",
  (text) => {
    expect(() => parseNumberList(text)).toThrow(
      expect.objectContaining({ code: "bad_number_list", message: expect.stringContaining(text) }),
    );
  },
);

test("ambient capabilities have to be permitted and inheritable", () => {
  const both = ["CAP_CHOWN", "CAP_KILL"] as const;
  const capabilities = {
    ambient: [...both, "CAP_SETUID"],
    permitted: both,
    inheritable: ["CAP_CHOWN", "CAP_SETUID"],
  } as const;
  expect(impossibleAmbient(capabilities)).toEqual(["CAP_KILL", "CAP_SETUID"]);
  expect(impossibleAmbient({ ...capabilities, ambient: ["CAP_CHOWN"] })).toEqual([]);
  expect(impossibleAmbient({})).toEqual([]);
});
