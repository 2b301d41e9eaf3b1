import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { Errno, errnoName } from "../../../src/sys/errno.ts";
import { BunkerError, type ErrorDetails, errnoOf } from "../../../src/sys/error.ts";

describe("BunkerError", () => {
  const code = "some_code";
  test.each<[Partial<ErrorDetails>, string]>([
    [{}, "mount proc on"],
    [{ object: "/proc" }, "mount proc on /proc"],
    [{ errno: Errno.EPERM }, "mount proc on: EPERM"],
    [{ object: "/proc", errno: Errno.EPERM }, "mount proc on /proc: EPERM"],
    [{ object: "/proc", reason: "it is hidden" }, "mount proc on /proc: it is hidden"],
    [{ object: "/proc", reason: "it is hidden", errno: Errno.EBUSY }, "mount proc on /proc: it is hidden: EBUSY"],
    [{ object: "", errno: 4095 }, "mount proc on : errno 4095"],
    [{ object: "/proc", hint: "do something else" }, "mount proc on /proc"],
  ])("the message of %j", (details, message) => {
    expect(new BunkerError({ code, operation: "mount proc on", ...details }).message).toBe(message);
  });

  test("keeps what it is made of", () => {
    const cause = new Error("before");
    const details = { code, operation: "open", object: "/x", errno: 2, hint: "look again", exitStatus: 126 };
    const error = new BunkerError(details, { cause });
    expect<unknown>({ ...error, message: error.message }).toMatchObject({ ...details, message: "open /x: ENOENT" });
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe("BunkerError: open /x: ENOENT");
  });

  test("says that Bunker itself failed unless told otherwise", () => {
    expect(new BunkerError({ code, operation: "open" }).exitStatus).toBe(125);
    expect(new BunkerError({ code, operation: "open", exitStatus: 0 }).exitStatus).toBe(0);
  });
});

describe("errnoOf", () => {
  test("an error of node:fs and one of Bunker's own", () => {
    const thrown = (action: () => unknown) => {
      try {
        action();
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(errnoOf(thrown(() => readFileSync("/no/such/file")))).toBe(Errno.ENOENT);
    expect(errnoOf(thrown(() => readFileSync("/")))).toBe(Errno.EISDIR);
    expect(errnoOf(new BunkerError({ code: "x", operation: "y", errno: Errno.EPERM }))).toBe(Errno.EPERM);
  });

  test("undefined for everything else", () => {
    const others = [new Error("x"), new BunkerError({ code: "x", operation: "y" }), "ENOENT", { errno: 2 }, undefined];
    expect(others.map(errnoOf)).toEqual(others.map(() => undefined));
  });

  test("undefined for an error whose errno is a word", () => {
    expect(errnoOf(Object.assign(new Error("x"), { errno: "ENOENT" }))).toBeUndefined();
  });
});

describe("errnoName", () => {
  test("the names are those of the C library", () => {
    const known: Readonly<Record<string, number>> = constants.errno;
    for (const [name, number] of Object.entries(Errno)) {
      if (name in known) expect([name, known[name]]).toEqual([name, number]);
      expect(errnoName(number)).toBe(name);
    }
  });

  test("a number without a name", () => {
    expect(errnoName(4095)).toBe("errno 4095");
  });
});
