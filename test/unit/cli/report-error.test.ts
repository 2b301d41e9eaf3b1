import { afterEach, beforeEach, expect, type Mock, spyOn, test } from "bun:test";
import { reportError } from "../../../src/cli/report-error.ts";
import { standardError } from "../../../src/cli/standard-error.ts";
import { BunkerError } from "../../../src/sys/error.ts";

let print: Mock<typeof console.error>;
const debug = process.env["BUNKER_DEBUG"];
beforeEach(() => {
  print = spyOn(standardError, "writeLine").mockImplementation(() => {});
  delete process.env["BUNKER_DEBUG"];
});
afterEach(() => {
  print.mockRestore();
  if (debug !== undefined) process.env["BUNKER_DEBUG"] = debug;
  else delete process.env["BUNKER_DEBUG"];
});

const said = () => print.mock.calls.map(([line]) => String(line));

test("a BunkerError is one line, its hint another, and its exit status is the program's", async () => {
  const error = new BunkerError({
    code: "command_not_found",
    operation: "execute",
    object: "/bin/nothing",
    errno: 2,
    hint: "look for it",
    exitStatus: 127,
  });
  expect(await reportError(error)).toBe(127);
  expect(said()).toEqual(["bunker: execute /bin/nothing: ENOENT", "hint: look for it"]);
});

test("controls of the terminal are not passed on", async () => {
  await reportError(new BunkerError({ code: "x", operation: "open", object: "a\n\x1b[2J\x9b\x7f\u202e", hint: "b\r" }));
  expect(said()).toEqual(["bunker: open a\\n\\u001b[2J\\u009b\\u007f\\u202e", "hint: b\\u000d"]);
});

test.each([
  ["an exception", new TypeError("x is not a function")],
  ["a thrown string", "x is not a function"],
])("%s is a fault of Bunker's", async (_kind, error) => {
  expect(await reportError(error)).toBe(125);
  expect(said()).toEqual([
    "bunker: internal_error: x is not a function",
    "hint: run it again with BUNKER_DEBUG=1 to see where, and report it",
  ]);
});

test("BUNKER_DEBUG=1 adds the stack, without saying the message twice", async () => {
  process.env["BUNKER_DEBUG"] = "1";
  await reportError(new Error("fault"));
  const [message, ...frames] = said();
  expect(message).toBe("bunker: internal_error: fault");
  expect(frames[0]).toContain("report-error.test.ts");
  expect(frames.every((frame) => /^ +at /.test(frame))).toBe(true);
});

test("a pipe that nobody reads any more ends the program without a word", async () => {
  expect(await reportError(Object.assign(new Error("EPIPE: broken pipe, write"), { code: "EPIPE" }))).toBe(141);
  expect(said()).toEqual([]);
});

test("what the kernel refuses of a file is no fault of Bunker's", async () => {
  const error = Object.assign(new Error("EACCES: permission denied, mkdir '/x'"), {
    code: "EACCES",
    syscall: "mkdir",
    path: "/x",
  });
  expect(await reportError(error)).toBe(125);
  expect(said()).toEqual([
    "bunker: mkdir /x: EACCES",
    expect.stringContaining("hint: See to it that you may read and write"),
  ]);
});
