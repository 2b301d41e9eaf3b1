import { expect, test } from "bun:test";
import { type Attempt, chooseUnionDriver, unionDrivers } from "../../../src/mount/union-support.ts";

const works: Attempt = { works: true };
const fails = (failure: string): Attempt => ({ works: false, failure });

test("the kernel's overlay is used wherever it works, whatever else does", () => {
  for (const other of [works, fails("no")]) {
    const support = { overlay: works, dataOnlyLayers: other, fuse: other };
    expect(chooseUnionDriver(support, "/store")).toBe("overlay");
    const [overlay, ...others] = unionDrivers(support);
    expect(overlay).toEqual({ name: "overlay", missing: undefined });
    // None of them is promised before it can be used.
    for (const { missing } of others) expect(missing).toBeDefined();
  }
});

test("what the host lacks is told before what Bunker lacks", () => {
  const missing = (support: Parameters<typeof unionDrivers>[0]) =>
    unionDrivers(support).map((driver) => driver.missing);
  expect(
    missing({ overlay: fails("overlay: EINVAL"), dataOnlyLayers: fails("data: EIO"), fuse: fails("fuse: EPERM") }),
  ).toEqual(["overlay: EINVAL", "overlay: EINVAL", "overlay: EINVAL", "fuse: EPERM", "Bunker copies no layers yet"]);
  expect(missing({ overlay: works, dataOnlyLayers: fails("data: EIO"), fuse: fails("fuse: EPERM") })).toEqual([
    undefined,
    "data: EIO",
    "fuse: EPERM",
    "fuse: EPERM",
    "Bunker copies no layers yet",
  ]);
});

test("without the overlay one line says why, and what would help", () => {
  const support = { overlay: fails("mount overlay on /x: EINVAL"), dataOnlyLayers: works, fuse: works };
  expect(() => chooseUnionDriver(support, "/store")).toThrow(
    expect.objectContaining({
      code: "no_union",
      message: "make root file systems in /store: mount overlay on /x: EINVAL",
      hint: expect.stringContaining("XDG_DATA_HOME"),
    }),
  );
});
