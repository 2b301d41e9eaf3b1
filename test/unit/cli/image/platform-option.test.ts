import { expect, test } from "bun:test";
import { platformsOption } from "../../../../src/cli/image/platform-option.ts";

test("platforms are separated by commas", () => {
  expect(platformsOption.parse("linux/arm64/v8,386")).toEqual([
    { os: "linux", architecture: "arm64", variant: "v8" },
    { os: "linux", architecture: "386", variant: undefined },
  ]);
  expect(() => platformsOption.parse("linux/amd64,")).toThrow("expected OS/ARCHITECTURE[/VARIANT]");
});
