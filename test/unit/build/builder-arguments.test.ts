import { expect, test } from "bun:test";
import { builderArguments } from "../../../src/build/builder-arguments.ts";

const USUAL = {
  cacheMountNamespace: "",
  keepsGitDirectory: false,
  cachesInline: false,
  isIndex: false,
  hostname: "buildkitsandbox",
};

test.each([
  [{}, {}],
  [
    { BUILDKIT_CACHE_MOUNT_NS: "mine", BUILDKIT_SANDBOX_HOSTNAME: "a.b" },
    { cacheMountNamespace: "mine", hostname: "a.b" },
  ],
  [
    { BUILDKIT_INLINE_CACHE: "1", BUILDKIT_MULTI_PLATFORM: "true" },
    { cachesInline: true, isIndex: true },
  ],
  [{ BUILDKIT_CONTEXT_KEEP_GIT_DIR: "1", BUILDKIT_INLINE_CACHE: "0" }, { keepsGitDirectory: true }],
  [{ BUILDKIT_SYNTAX: "docker.io/docker/dockerfile:1.7-labs", OTHER: "x" }, {}],
])("reads %j", (given, different) => {
  expect(builderArguments(new Map(Object.entries(given)))).toEqual({ ...USUAL, ...different });
});

test.each([
  [{ BUILDKIT_SYNTAX: "example/language:1" }, "it is another language than docker/dockerfile"],
  [{ BUILDKIT_INLINE_CACHE: "yes" }, "it is no truth value"],
  [{ BUILDKIT_SANDBOX_HOSTNAME: "a b" }, "it is no host name"],
])("refuses %j", (given, reason) => {
  expect(() => builderArguments(new Map(Object.entries(given)))).toThrow(reason);
});
