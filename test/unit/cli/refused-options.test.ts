import { expect, test } from "bun:test";
import { refusedOption } from "../../../src/cli/refused-options.ts";

test("an option that only others have is refused with the reason", () => {
  expect(refusedOption("bunker run", "gpus")?.message).toContain("bunker run has no option --gpus");
});

test.each(["constructor", "toString", "nonsense"])("--%s is nobody's option", (option) => {
  expect(refusedOption("bunker run", option)).toBeUndefined();
});
