import { describe, expect, test } from "bun:test";
import { resourceList } from "../../../../src/cli/values/resource-list-option.ts";

const parse = resourceList("processors", "0-3,6\n");

describe("a list of processors", () => {
  test.each(["0", "0-3", "0,2", "0-1,3,6", "6"])("%p is taken as it is", (text) => {
    expect(parse(text)).toBe(text);
  });

  test.each(["", "a", "-1", "0-", "3-1", "0,,1", "0 1"])("%p is no list", (text) => {
    expect(() => parse(text)).toThrow("expected a list such as 0-2,4");
  });

  test.each([
    ["4", "no 4"],
    ["0-5", "no 5"],
    ["0,100", "no 100"],
  ])("%p asks for what is not there", (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test("is only a list where the kernel does not say what there is", () => {
    expect(resourceList("memory nodes", "")("7")).toBe("7");
  });
});
