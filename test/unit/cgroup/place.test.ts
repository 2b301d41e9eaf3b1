import { describe, expect, test } from "bun:test";
import { pathPlace, scopePlace } from "../../../src/cgroup/place.ts";

describe("a cgroup that is made by hand", () => {
  test.each([
    ["", "/user.slice/session.scope", "/user.slice/box"],
    ["", "/", "/box"],
    ["/kubepods/pod1/x", "/user.slice/session.scope", "/kubepods/pod1/x"],
    ["mine/x", "/user.slice/session.scope", "/user.slice/mine/x"],
    ["//a//b/", "/c", "/a/b"],
  ])("%p beside %p", (cgroupsPath, own, path) => {
    expect(pathPlace(cgroupsPath, "box", own)).toBe(path);
  });

  test.each([
    ["/a/../../b", "must not lead upwards"],
    ["/", "everybody's"],
    ["system.slice:bunker:box", "for --systemd-cgroup"],
  ])("%p is refused", (cgroupsPath, reason) => {
    expect(() => pathPlace(cgroupsPath, "box", "/own")).toThrow(reason);
  });
});

describe("a scope", () => {
  test.each([
    ["", undefined, "bunker-box.scope"],
    ["user.slice:libpod:abc", "user.slice", "libpod-abc.scope"],
    ["a-b-c.slice::abc", "a-b-c.slice", "abc.scope"],
    [":bunker:abc", undefined, "bunker-abc.scope"],
    ["-.slice:bunker:abc", "-.slice", "bunker-abc.scope"],
  ])("%p", (cgroupsPath, slice, name) => {
    expect(scopePlace(cgroupsPath, "box")).toEqual({ slice, name });
  });

  test.each([
    ["/a/path", "expected SLICE:PREFIX:NAME"],
    ["user.slice:libpod:", "expected SLICE:PREFIX:NAME"],
    ["user:libpod:x", "user is no name of a slice"],
    ["-a.slice:libpod:x", "-a.slice is no name of a slice"],
    ["a/b.slice:libpod:x", "no name of a slice"],
    ["user.slice:libpod:a b", "no name of a unit"],
  ])("%p is refused", (cgroupsPath, reason) => {
    expect(() => scopePlace(cgroupsPath, "box")).toThrow(reason);
  });
});
