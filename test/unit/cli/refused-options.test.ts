import { expect, test } from "bun:test";
import { refusedOption } from "../../../src/cli/refused-options.ts";

test("an option that only others have is refused with the reason", () => {
  expect(refusedOption("bunker run", "runtime")?.message).toContain("bunker run has no option --runtime");
});

test.each([
  ["create", "init-ctr", "has no pods"],
  ["container ps", "pod", "has no pods"],
  ["container clone", "pod", "has no pods"],
  ["secret create", "driver-opts", "the driver has no options"],
  ["unshare", "rootless-netns", "in no namespace that could be joined"],
  ["volume rm", "t", "has no option -t: a volume that is in use is not removed"],
])("bunker %s has no --%s, and says why", (command, option, reason) => {
  expect(refusedOption(`bunker ${command}`, option)?.message).toContain(reason);
});

test.each(["push", "image push", "copy", "manifest push"])(
  "bunker %s signs and encrypts nothing, and says so",
  (command) => {
    expect(refusedOption(`bunker ${command}`, "sign-by")?.message).toContain("makes and checks no signatures");
    expect(refusedOption(`bunker ${command}`, "encryption-key")?.message).toContain("encrypts no layers");
  },
);

test.each([
  ["image copy", "dest-oci-accept-uncompressed-layers", "layers are copied as they are packed"],
  ["copy", "src-daemon-host", "not copied from or to a daemon"],
  ["rmi", "platform", "go with its name"],
  ["image rm", "platform", "go with its name"],
  ["pull", "signature-policy", "checks no signatures"],
  ["image load", "signature-policy", "checks no signatures"],
  ["run", "signature-policy", "checks no signatures"],
  ["push", "signature-policy", "checks no signatures"],
  ["image prune", "external", "containers of other tools"],
])("bunker %s says why it has no --%s", (command, option, reason) => {
  expect(refusedOption(`bunker ${command}`, option)?.message).toContain(reason);
});

test.each(["constructor", "toString", "nonsense"])("--%s is nobody's option", (option) => {
  expect(refusedOption("bunker run", option)).toBeUndefined();
});
