import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findDevices } from "../../../../src/engine/devices/find-devices.ts";

let top: string;
let directories: string[];

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "bunker-devices-"));
  directories = ["static", "dynamic"].map((name) => join(top, name));
  for (const directory of directories) mkdirSync(directory);
});

afterEach(() => rmSync(top, { recursive: true }));

function write(name: string, document: object | string): void {
  writeFileSync(join(top, name), typeof document === "string" ? document : JSON.stringify(document));
}

const specification = (kind: string, ...devices: object[]) => ({ cdiVersion: "0.6.0", kind, devices });
const device = (name: string, env: string) => ({ name, containerEdits: { env: [env] } });
const environment = (...names: string[]) => findDevices({ names, directories }).flatMap(({ env }) => env);

function refusalOf(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it is not refused");
}

test("what all devices of a specification need comes once, before them", () => {
  const all = specification("a.org/d", device("1", "A=1"), device("2", "A=2"));
  write("static/a.json", { ...all, containerEdits: { env: ["A=all"] } });
  const devices = "devices:\n- name: x\n  containerEdits:\n    env: [B=1]\n";
  write("dynamic/b.yaml", `cdiVersion: "1.0.0"\nkind: b.org/d\n${devices}`);
  expect(environment("a.org/d=2", "b.org/d=x", "a.org/d=1", "a.org/d=2")).toEqual(["A=all", "A=2", "B=1", "A=1"]);
});

test("a later directory counts before an earlier one, and two files of one directory are in conflict", () => {
  write("static/a.json", specification("a.org/d", device("1", "A=static"), device("2", "A=static")));
  write("dynamic/a.json", specification("a.org/d", device("1", "A=dynamic")));
  expect(environment("a.org/d=1", "a.org/d=2")).toEqual(["A=dynamic", "A=static"]);
  write("dynamic/b.json", specification("a.org/d", device("1", "A=other"), device("3", "A=3")));
  expect(environment("a.org/d=3")).toEqual(["A=3"]);
  const conflict = `both ${top}/dynamic/a.json and ${top}/dynamic/b.json say what it is`;
  expect(() => environment("a.org/d=1")).toThrow(conflict);
});

test("a device that is nowhere is told with what could not be read", () => {
  write("static/a.json", specification("a.org/d", device("one", "A=1")));
  write("static/broken.json", "{");
  write("static/other.txt", "not looked at");
  expect(environment("a.org/d=one")).toEqual(["A=1"]);
  const more = [...directories, join(top, "none")];
  const refusal = refusalOf(() => findDevices({ names: ["a.org/d=ome"], directories: more }));
  expect(refusal).toMatchObject({ code: "device_not_found", hint: "Did you mean a.org/d=one?" });
  expect(refusal.message).toContain(`${top}/static/broken.json: JSON Parse error`);
  expect(refusal.message).toContain(`read ${top}/none: ENOENT`);
  expect(refusal.message).not.toContain("other.txt");
  expect(refusalOf(() => environment("nvidia.com/gpu=all"))).toMatchObject({
    hint: expect.stringContaining("nvidia-ctk"),
  });
});

const edits = (containerEdits: object) => ({ devices: [{ name: "1", containerEdits }] });

test.each([
  [{ cdiVersion: "2.0.0" }, "cdiVersion: expected a version from 0.3 to 1.1"],
  [{ kind: "d" }, "kind: expected vendor.com/class"],
  [{ devices: [] }, "devices: expected a device"],
  [{ devices: [device("1", "A=1"), device("1", "A=2")] }, "devices: two devices have one name"],
  [edits({ env: ["A"] }), "devices.0.containerEdits.env.0: expected NAME=VALUE"],
  [{ surplus: 1 }, "there is no member surplus"],
  [{ toString: 1 }, "there is no member toString"],
  [
    edits({ mounts: [{ hostPath: "/a", containerPath: "/b", mode: 1 }] }),
    "devices.0.containerEdits.mounts.0: there is no member mode",
  ],
  [
    edits({ deviceNodes: [{ path: "dev/x" }] }),
    "devices.0.containerEdits.deviceNodes.0.path: expected an absolute path",
  ],
  [edits({ hooks: [{ hookName: "preStart", path: "/x" }] }), "devices.0.containerEdits.hooks.0.hookName"],
])("%j is no specification", (change, reason) => {
  write("static/a.json", { ...specification("a.org/d", device("1", "A=1")), ...change });
  expect(() => environment("a.org/d=1")).toThrow(`${top}/static/a.json: ${reason}`);
});
