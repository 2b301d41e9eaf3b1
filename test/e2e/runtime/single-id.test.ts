import { expect, test } from "bun:test";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite("bunker-bare");

test("has a container with their own id alone", () => {
  expect(suite.box.shell("cat /proc/self/setgroups; id").split("\n")).toEqual([
    "deny",
    expect.stringMatching(/^uid=0 gid=0/),
  ]);
});

test("cannot have groups, nor ids of others", () => {
  const groups = { process: { user: { uid: 0, gid: 0, additionalGids: [5] } } };
  expect(suite.box.run(["true"], groups).errors).toContain("set supplementary groups 5");
  const uidMappings = [{ containerID: 0, hostID: 100000, size: 2 }];
  const { status, errors } = suite.box.run(["true"], { linux: { uidMappings } });
  expect(status).toBe(1);
  expect(errors).toMatch(/^bunker: map ids by newuidmap 0 100000 2: .*\nhint: .*subuid/s);
  // What has failed first is said.
  const nowhere = suite.box.run(["true"], { linux: { uidMappings }, rest: { root: { path: "missing" } } });
  expect(nowhere.errors).toMatch(/missing: ENOENT/);
});
