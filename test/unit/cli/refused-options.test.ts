import { expect, test } from "bun:test";
import { refusedOption } from "../../../src/cli/refused-options.ts";

test("an option that only others have is refused with the reason", () => {
  expect(refusedOption("bunker run", "runtime")?.message).toContain("bunker run has no option --runtime");
});

test.each(["push", "image push", "copy", "manifest push"])(
  "bunker %s signs and encrypts nothing, and says so",
  (command) => {
    expect(refusedOption(`bunker ${command}`, "sign-by")?.message).toContain("makes and checks no signatures");
    expect(refusedOption(`bunker ${command}`, "encryption-key")?.message).toContain("encrypts no layers");
  },
);

test.each(["constructor", "toString", "nonsense"])("--%s is nobody's option", (option) => {
  expect(refusedOption("bunker run", option)).toBeUndefined();
});
