import { afterEach, beforeEach, expect, type Mock, spyOn, test } from "bun:test";
import { error, stack, warning } from "../../../src/cli/messages.ts";
import { standardError } from "../../../src/cli/standard-error.ts";

let print: Mock<typeof console.error>;
beforeEach(() => {
  print = spyOn(standardError, "writeLine").mockImplementation(() => {});
});
afterEach(() => print.mockRestore());

const said = () => print.mock.calls.map(([line]) => line);

test("each kind of message has its word in front", () => {
  error("it failed");
  error("it failed again", "try later");
  warning("no swap limit");
  expect(said()).toEqual(["bunker: it failed", "bunker: it failed again", "hint: try later", "warning: no swap limit"]);
});

test("what is said many times is said as many times, at once", () => {
  for (let count = 0; count < 20; count++) warning("again");
  expect(said()).toEqual(Array.from({ length: 20 }, () => "warning: again"));
});

test("a message is one line, and controls of the terminal are not passed on", () => {
  warning("a\nb\x1b[2J\u202e");
  expect(said()).toEqual(["warning: a\\nb\\u001b[2J\\u202e"]);
});

test("a stack is shown without its message", () => {
  stack(new Error("the message"));
  expect(said()[0]).toMatch(/^ +at .*messages\.test\.ts:/);
  expect(said().join("\n")).not.toContain("the message");
});
