import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mount } from "../../../src/runtime/configuration/configuration.ts";
import { parseMountOptions } from "../../../src/runtime/mount-options.ts";
import { planMounts } from "../../../src/runtime/planned-mounts.ts";

let bundle: string;
beforeAll(() => {
  bundle = mkdtempSync(join(tmpdir(), "bundle-"));
  mkdirSync(join(bundle, "directory"));
  writeFileSync(join(bundle, "file"), "");
  symlinkSync("directory", join(bundle, "link"));
  symlinkSync("nowhere", join(bundle, "dangling"));
});
afterAll(() => rmSync(bundle, { recursive: true }));

function plan(mount: Mount, ownCgroupNamespace = true) {
  const opened: Mount[] = [];
  const openIdMapNamespace = (of: Mount) => opened.push(of) + 41;
  const [planned] = planMounts([mount], { bundle, ownCgroupNamespace, openIdMapNamespace });
  return { planned, opened };
}

describe("a bind", () => {
  test.each([
    ["directory", "directory"],
    ["file", "file"],
    ["link", "directory"],
    ["../", "directory"],
  ] as const)("of %s, which starts at the bundle", (source, sourceKind) => {
    const { planned, opened } = plan({ destination: "/mnt", source, options: ["rbind", "ro"] });
    expect(planned).toEqual({
      kind: "bind",
      source: join(bundle, source).replace(/\/$/, ""),
      sourceKind,
      destination: "/mnt",
      options: parseMountOptions(["rbind", "ro"]),
      boundary: undefined,
      idMapNamespace: undefined,
      mountNamespace: undefined,
    });
    expect(opened).toEqual([]);
  });

  test("of an absolute source, by type alone", () => {
    const { planned } = plan({ destination: "/mnt", type: "bind", source: "/dev/null" });
    expect(planned).toMatchObject({ kind: "bind", source: "/dev/null", sourceKind: "file", options: { bind: "bind" } });
  });

  test("by option, whatever the type says", () => {
    const { planned } = plan({ destination: "/mnt", type: "tmpfs", source: "/etc", options: ["bind"] });
    expect(planned).toMatchObject({ kind: "bind", source: "/etc" });
  });

  test("asks for the namespace of an idmapped one", () => {
    const mount: Mount = { destination: "/mnt", source: "/etc", options: ["bind", "ridmap"] };
    const { planned, opened } = plan(mount);
    expect(planned).toMatchObject({ kind: "bind", idMapNamespace: 42 });
    expect(opened).toEqual([mount]);
  });

  test("is idmapped by mappings of its own, without the option", () => {
    const mappings = [{ containerID: 0, hostID: 5, size: 1 }];
    const mount: Mount = { destination: "/mnt", source: "/etc", options: ["bind"], uidMappings: mappings };
    expect(plan(mount).planned).toMatchObject({ kind: "bind", idMapNamespace: 42 });
  });

  test.each(["missing", "dangling", "file/below"])("of %s, which is not there", (source) => {
    expect(() => plan({ destination: "/mnt", source, options: ["bind"] })).toThrow(
      expect.objectContaining({
        code: "mount_source_missing",
        message: `bind mount on /mnt: find ${bundle}/${source}: ${source === "file/below" ? "ENOTDIR" : "ENOENT"}`,
      }),
    );
  });

  test("takes no options of filesystems", () => {
    expect(() => plan({ destination: "/mnt", source: "/etc", options: ["bind", "size=1"] })).toThrow("size");
  });
});

test.each([
  ["mnt/a", "/mnt/a"],
  ["/mnt/../../a/", "/a"],
  ["/", "/"],
])("the destination %s is %s", (destination, expected) => {
  expect(plan({ destination, type: "tmpfs" }).planned?.destination).toBe(expected);
});

test("filesystems", () => {
  expect(plan({ destination: "/proc", type: "proc", source: "proc", options: ["nosuid"] }).planned).toEqual({
    kind: "filesystem",
    type: "proc",
    source: "proc",
    destination: "/proc",
    options: parseMountOptions(["nosuid"]),
    idMapNamespace: undefined,
  });
  expect(plan({ destination: "/mnt", source: "x" }).planned).toMatchObject({ kind: "filesystem", type: "none" });
  expect(plan({ destination: "/t", type: "tmpfs", options: ["tmpcopyup"] }).planned).toMatchObject({
    kind: "filesystem",
    options: { copyUp: true },
  });
  expect(() => plan({ destination: "/proc", type: "proc", options: ["tmpcopyup"] })).toThrow(
    "mount proc on /proc: option tmpcopyup is for tmpfs only",
  );
});

test("a remount needs nothing but its destination", () => {
  const options = ["remount", "bind", "ro"];
  const { planned } = plan({ destination: "/mnt", source: "/no/such", options });
  expect(planned).toEqual({ kind: "remount", destination: "/mnt", options: parseMountOptions(options) });
});

describe.each(["cgroup", "cgroup2"])("control groups by type %s", (type) => {
  const mount: Mount = { destination: "/sys/fs/cgroup", type, source: "cgroup", options: ["ro", "nosuid"] };

  test("are version 2 in a namespace of their own", () => {
    expect(plan(mount).planned).toMatchObject({ kind: "filesystem", type: "cgroup2", destination: "/sys/fs/cgroup" });
  });

  test("are the host's tree without, with the attributes for all of it", () => {
    const { planned } = plan(mount, false);
    expect(planned).toMatchObject({
      kind: "bind",
      source: "/sys/fs/cgroup",
      sourceKind: "directory",
      options: { bind: "rbind", data: [], recursiveAttributes: { set: 3, clear: 0 } },
    });
  });
});

test("keeps the order", () => {
  const destinations = ["/b", "/a", "/a/b"];
  const context = { bundle, ownCgroupNamespace: true, openIdMapNamespace: () => 0 };
  const planned = planMounts(
    destinations.map((destination) => ({ destination, type: "tmpfs" })),
    context,
  );
  expect(planned.map(({ destination }) => destination)).toEqual(destinations);
});
