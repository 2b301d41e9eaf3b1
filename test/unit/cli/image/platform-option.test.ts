import { expect, test } from "bun:test";
import { onlyPlatform } from "../../../../src/cli/image/platform-option.ts";

test("of several platforms none is left out without a word", () => {
  expect(onlyPlatform([])).toBeUndefined();
  expect(onlyPlatform(["linux/arm64/v8"])).toEqual({ os: "linux", architecture: "arm64", variant: "v8" });
  expect(() => onlyPlatform(["linux/amd64", "linux/arm64"])).toThrow("--platform can be given once");
});
