import { expect, test } from "bun:test";
import { parseCounters, parseDevices, parsePressure } from "../../../src/cgroup/accounting.ts";

test("counters", () => {
  expect(parseCounters("usage_usec 25\nuser_usec 5\n")).toEqual({ usage_usec: 25, user_usec: 5 });
  expect(parseCounters("")).toEqual({});
  expect(parseCounters(undefined)).toEqual({});
});

test("devices, of which some have done nothing", () => {
  expect(parseDevices("8:0 rbytes=5 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n7:1 \n253:2\n")).toEqual([
    { major: 8, minor: 0, counters: { rbytes: 5, wbytes: 0, rios: 1, wios: 0, dbytes: 0, dios: 0 } },
  ]);
});

test("pressure, on a kernel with and without", () => {
  const some = { avg10: 1.5, avg60: 0, avg300: 0.25, total: 99 };
  expect(parsePressure("some avg10=1.50 avg60=0.00 avg300=0.25 total=99\n")).toEqual({ some, full: {} });
  expect(parsePressure("some avg10=1.50 avg60=0.00 avg300=0.25 total=99\nfull avg10=0.00 total=3\n")).toEqual({
    some,
    full: { avg10: 0, total: 3 },
  });
  expect(parsePressure(undefined)).toBeUndefined();
});
