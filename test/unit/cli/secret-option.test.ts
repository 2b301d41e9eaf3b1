import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { parseSecretOption, parseSshOption } from "../../../src/cli/values/secret-option.ts";

describe("--secret", () => {
  test.each([
    ["id=a,src=/x", { id: "a", from: { kind: "file", path: "/x" } }],
    ["id=a,source=x", { id: "a", from: { kind: "file", path: resolve("x") } }],
    ["id=a,env=HOME", { id: "a", from: { kind: "environment", name: "HOME" } }],
    ["type=env,id=a,src=HOME", { id: "a", from: { kind: "environment", name: "HOME" } }],
    ["type=env,id=a", { id: "a", from: { kind: "environment", name: "a" } }],
    ["id=PATH", { id: "PATH", from: { kind: "environment", name: "PATH" } }],
    ["id=no-such-variable", { id: "no-such-variable", from: { kind: "file", path: resolve("no-such-variable") } }],
    ['id=a,"src=/x,y"', { id: "a", from: { kind: "file", path: "/x,y" } }],
  ] as const)("%s", (text, expected) => {
    expect(parseSecretOption(text)).toEqual(expected);
  });

  test.each([
    ["a", /expected id=ID/],
    ["src=/x", /expected id=ID/],
    ["id=a,scr=/x", /did you mean src/],
    ["id=a,type=pipe", /type is file or env/],
    ["id=a,env=B,src=/x", /not both/],
    ['id="a', /quotation marks/],
  ])("refuses %s", (text, message) => {
    expect(() => parseSecretOption(text)).toThrow(message);
  });
});

describe("--ssh", () => {
  test("an id, and perhaps a socket or keys", () => {
    expect(parseSshOption("default")).toEqual({ id: "default", paths: [] });
    expect(parseSshOption("a=/s")).toEqual({ id: "a", paths: ["/s"] });
    expect(parseSshOption("a=/k1,k2")).toEqual({ id: "a", paths: ["/k1", resolve("k2")] });
    expect(() => parseSshOption("=x")).toThrow(/expected default/);
  });
});
