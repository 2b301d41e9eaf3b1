import { expect, test } from "bun:test";
import { parseDeviceOption } from "../../../../src/cli/values/device-option.ts";
import { namedDevicesOf } from "../../../../src/cli/values/named-devices.ts";

const gpus = (text: string) => namedDevicesOf([], [text], []).names;

test.each([
  ["all", ["nvidia.com/gpu=all"]],
  ["2", ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]],
  ["-1", ["nvidia.com/gpu=all"]],
  ["count=1", ["nvidia.com/gpu=0"]],
  ['"device=0,GPU-3faa8e"', ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-3faa8e"]],
  ["device=0:1", ["nvidia.com/gpu=0:1"]],
  ["all,capabilities=utility", ["nvidia.com/gpu=all"]],
  ["driver=nvidia,count=all", ["nvidia.com/gpu=all"]],
  ["driver=cdi,device=amd.com/gpu=0", ["amd.com/gpu=0"]],
])("--gpus %s names devices", (text, names) => {
  expect(gpus(text)).toEqual(names);
});

test.each([
  ["", "expected all, a number"],
  ["0", "expected all, a number"],
  ["some", "expected all, a number"],
  ["all,2", "expected all, a number"],
  ["count=1,device=0", "either a number or device="],
  ["driver=amd", "driver is nvidia or cdi"],
  ["driver=cdi", "needs device="],
  ["all,capabilities=video", "by its CDI specification"],
  ["all,options=x", "by its CDI specification"],
  ["device=", "vendor.com/class=name"],
])("--gpus %s is refused", (text, reason) => {
  expect(() => gpus(text)).toThrow(reason);
});

test("--device takes names with a CDI specification", () => {
  const name = "vendor.com/net=a.b:c";
  expect(parseDeviceOption(name)).toEqual({ name });
  expect(namedDevicesOf([name], ["1"], ["/a"])).toEqual({ names: [name, "nvidia.com/gpu=0"], directories: ["/a"] });
  expect(namedDevicesOf([name], [], []).directories).toEqual(["/etc/cdi", "/var/run/cdi"]);
});

test.each(["vendor.com=a", "vendor.com/=a", "1vendor/net=a", "vendor/net=", "vendor/net=-a", "a=b"])(
  "--device %s is refused",
  (name) => {
    expect(parseDeviceOption(name)).toEqual({ name });
    expect(() => namedDevicesOf([name], [], [])).toThrow(`invalid value "${name}" for --device: a device with a CDI`);
  },
);
