import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { defaultProfile } from "../../../../src/runtime/seccomp/default-profile.ts";
import { parseExactJson } from "../../../../src/runtime/seccomp/exact-json.ts";
import { type Profile, parseProfile } from "../../../../src/runtime/seccomp/profile.ts";
import { resolveProfile } from "../../../../src/runtime/seccomp/resolve-profile.ts";
import { BunkerError } from "../../../../src/sys/error.ts";

const context = { architecture: "x86-64", capabilities: ["CAP_CHOWN"], kernelVersion: "6.1.0-13-amd64" } as const;

function failure(profile: unknown): string {
  try {
    parseProfile(typeof profile === "string" ? profile : JSON.stringify(profile));
  } catch (error) {
    if (error instanceof BunkerError && error.code === "seccomp_profile_invalid") return error.message;
    throw error;
  }
  throw new Error("the profile was accepted");
}

describe("parseExactJson", () => {
  test("keeps integers that numbers cannot hold", () => {
    const text =
      '{"a": 18446744073709551615, "b": [9007199254740993, -9007199254740993], "c": 1.5, "d": 9007199254740991}';
    expect(parseExactJson(text)).toEqual({
      a: 2n ** 64n - 1n,
      b: [2n ** 53n + 1n, -(2n ** 53n) - 1n],
      c: 1.5,
      d: 2 ** 53 - 1,
    });
    expect(parseExactJson('{"text": "12345678901234567890", "n": 1e30}')).toEqual({
      text: "12345678901234567890",
      n: 1e30,
    });
  });
});

describe("parseProfile", () => {
  test("takes what Docker takes", () => {
    const old = {
      defaultAction: "SCMP_ACT_ERRNO",
      archMap: [{ architecture: "SCMP_ARCH_RISCV64", subArchitectures: null }],
      syscalls: [
        { name: "read", action: "SCMP_ACT_ALLOW", args: null, comment: "", includes: {}, excludes: { minKernel: "" } },
        { names: ["write"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 1, valueTwo: 0, op: "SCMP_CMP_EQ" }] },
      ],
      "no such member": 1,
    };
    const { syscalls } = resolveProfile(parseProfile(JSON.stringify(old)), context);
    expect(syscalls?.map(({ names }) => names)).toEqual([["read"], ["write"]]);
  });

  test("keeps 64-bit values", () => {
    const text = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
      "args": [{"index": 1, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]}]}`;
    expect(parseProfile(text).syscalls?.[0]?.args?.[0]?.value).toBe(2n ** 64n - 1n);
  });

  test("names what is wrong", () => {
    const rule = (members: object) => ({
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", ...members }],
    });
    expect(failure("{")).toContain("not JSON");
    expect(failure({})).toContain("defaultAction");
    expect(failure(rule({ action: "ALLOW" }))).toContain("syscalls.0.action");
    expect(failure(rule({ args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }))).toContain("syscalls.0.args.0.index");
    expect(failure(rule({ args: [{ index: 0, value: -1, op: "SCMP_CMP_EQ" }] }))).toContain("syscalls.0.args.0.value");
    expect(failure(rule({ includes: { minKernel: "new" } }))).toContain("syscalls.0.includes.minKernel");
    expect(failure(rule({ name: "write" }))).toContain("both name and names");
    expect(failure(rule({ names: [] }))).toContain("neither name nor names");
    expect(
      failure({
        defaultAction: "SCMP_ACT_ALLOW",
        architectures: ["SCMP_ARCH_X86"],
        archMap: [{ architecture: "SCMP_ARCH_X86_64" }],
      }),
    ).toContain("both architectures and archMap");
  });
});

describe("resolveProfile", () => {
  const names = (condition: Pick<NonNullable<Profile["syscalls"]>[number], "includes" | "excludes">, over = {}) => {
    const syscalls = [{ names: ["read"], action: "SCMP_ACT_ALLOW", ...condition }] as const;
    const { syscalls: chosen } = resolveProfile({ defaultAction: "SCMP_ACT_ERRNO", syscalls }, { ...context, ...over });
    return chosen?.length === 1;
  };

  test("chooses by capability, architecture and kernel", () => {
    expect(names({ includes: { caps: ["CAP_CHOWN"] } })).toBe(true);
    expect(names({ includes: { caps: ["CAP_CHOWN", "CAP_KILL"] } })).toBe(false);
    expect(names({ excludes: { caps: ["CAP_CHOWN", "CAP_KILL"] } })).toBe(false);
    expect(names({ includes: { arches: ["x32", "amd64"] } })).toBe(true);
    expect(names({ includes: { arches: ["x32", "amd64"] } }, { architecture: "arm64" })).toBe(false);
    expect(names({ excludes: { arches: ["arm64"] } }, { architecture: "arm64" })).toBe(false);
    expect(names({ includes: { minKernel: "6.1" } })).toBe(true);
    expect(names({ includes: { minKernel: "6.2" } })).toBe(false);
    expect(names({ includes: { minKernel: "5.19" } })).toBe(true);
    expect(names({ excludes: { minKernel: "6.0" } })).toBe(false);
    expect(names({ excludes: { minKernel: "6.10" } })).toBe(true);
  });

  test("turns the map of architectures into a list", () => {
    const profile: Profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      archMap: [
        { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
        { architecture: "SCMP_ARCH_AARCH64" },
      ],
    };
    expect(resolveProfile(profile, context).architectures).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
    expect(resolveProfile(profile, { ...context, architecture: "arm64" }).architectures).toEqual(["SCMP_ARCH_AARCH64"]);
    const plain: Profile = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X32"], flags: [] };
    expect(resolveProfile(plain, context)).toMatchObject(plain);
  });
});

describe("defaultProfile", () => {
  test("is Docker's but for the rules that say so", () => {
    const docker = parseProfile(readFileSync(`${import.meta.dir}/docker-default.json`, "utf8"));
    const profile = defaultProfile();
    const added = (profile.syscalls ?? []).filter(({ comment }) => comment?.startsWith("not in Docker's profile"));
    expect(added.map(({ names, action }) => [names, action])).toEqual([
      [["socket"], "SCMP_ACT_ERRNO"],
      [["socket"], "SCMP_ACT_ERRNO"],
    ]);
    expect<unknown>({ ...profile, syscalls: profile.syscalls?.filter((rule) => !added.includes(rule)) }).toEqual(
      docker,
    );
  });
});
