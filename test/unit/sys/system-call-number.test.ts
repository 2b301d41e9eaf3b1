import { describe, expect, test } from "bun:test";
import { hostArchitecture } from "../../../src/sys/architecture.ts";
import { SystemCall } from "../../../src/sys/system-call.ts";
import { type SystemCallName, systemCallNumber, systemCallNumbers } from "../../../src/sys/system-call-number.ts";

describe("the numbers of system calls", () => {
  test.each(["x86-64", "arm64"] as const)("are found by name for %s", (architecture) => {
    const all = Object.entries(systemCallNumbers(architecture));
    expect(all.length).toBeGreaterThan(300);
    expect(all.map(([name]) => [name, systemCallNumber(name as SystemCallName, architecture)])).toEqual(all);
  });

  test("are not there for the calls of the other architecture", () => {
    expect(systemCallNumbers("x86-64")).toMatchObject({ open: 2 });
    expect(systemCallNumbers("arm64")).not.toContainKey("open");
  });

  test("are those of the table for the calls of Bunker's own process, on both architectures", async () => {
    const source = await Bun.file(`${import.meta.dir}/../../../src/sys/own-system-calls.ts`).text();
    const own = [...source.matchAll(/^export const (\w+) = own\((\d+), (\d+)\);$/gm)];
    expect(own.map(([, name]) => name).toSorted()).toEqual(Object.keys(SystemCall).toSorted());
    const numbers = own.map(([, , x86, arm64]) => [Number(x86), Number(arm64)]);
    const x86 = systemCallNumbers("x86-64");
    const arm64 = systemCallNumbers("arm64");
    expect(numbers).toEqual(own.map(([, name = ""]) => [x86[name] ?? -1, arm64[name] ?? -1]));
    const here = hostArchitecture() === "x86-64" ? x86 : arm64;
    expect<object>(here).toMatchObject(SystemCall);
  });
});
