import { expect, test } from "bun:test";
import { accessibleDevices } from "../../../../src/engine/specification/host-devices.ts";

test("accessibleDevices agrees with find(1), but for what a container has of its own", () => {
  const isDevice = ["(", "-type", "c", "-o", "-type", "b", ")", "(", "-readable", "-o", "-writable", ")"];
  const found = Bun.spawnSync(["find", "/dev", "-mount", ...isDevice, "-print"])
    .stdout.toString()
    .trim()
    .split("\n");
  const own = /^\/dev\/(pts\/|shm\/|mqueue\/|fd\/|(null|zero|full|u?random|tty|console|ptmx)$)/;
  expect(found).toContain("/dev/null");
  expect(accessibleDevices()).toEqual(found.filter((path) => !own.test(path)).sort());
});

test("a missing directory has no devices", () => {
  expect(accessibleDevices("/nonexistent")).toEqual([]);
});
