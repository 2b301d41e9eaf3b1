import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { hostInterfaces, multiplexerOf, numberOf } from "../../../../src/runtime/seccomp/architectures.ts";
import { compile } from "../../../../src/runtime/seccomp/compile.ts";
import { defaultProfile } from "../../../../src/runtime/seccomp/default-profile.ts";
import { resolveProfile } from "../../../../src/runtime/seccomp/resolve-profile.ts";
import {
  SECCOMP_ACTIONS,
  SECCOMP_ARCHITECTURES,
  SECCOMP_OPERATORS,
  type Seccomp,
  type SeccompArgument,
  type SeccompRule,
} from "../../../../src/runtime/seccomp/seccomp.ts";
import type { Architecture } from "../../../../src/sys/architecture.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import { ENOSYS, evaluate, KILL_PROCESS } from "./reference.ts";
import { type Call, simulate } from "./simulator.ts";

const HOSTS: readonly Architecture[] = ["x86-64", "arm64"];
const X86_64 = 0xc000_003e;
const I386 = 0x4000_0003;
const AARCH64 = 0xc000_00b7;
const ALLOW = 0x7fff_0000;
const EPERM = 0x0005_0001;

/** Numbers from 0 up to `bound`, the same ones in every run. */
function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

type Random = ReturnType<typeof generator>;

function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[random(values.length)];
  if (value === undefined) throw new Error("nothing to choose from");
  return value;
}

const VALUES: readonly bigint[] = [
  0n,
  1n,
  2n,
  7n,
  38n,
  40n,
  0xffffn,
  0x1_0001n,
  0x7e02_0000n,
  0xffff_fffen,
  0xffff_ffffn,
  2n ** 32n,
  2n ** 32n + 1n,
  2n ** 32n + 38n,
  2n ** 40n,
  2n ** 63n,
  2n ** 64n - 2n,
  2n ** 64n - 1n,
];

const NAMES =
  "read write open socket bind recv accept semop msgget personality clone clone3 socketcall ipc ioctl execve set_tls \
cacheflush chown32 mmap2 preadv2 uselib file_setattr constructor s390_runtime_instr landlock_add_rule gettid".split(
    " ",
  );

function randomArgument(random: Random): SeccompArgument {
  const value = pick(random, VALUES);
  return {
    index: random(3),
    op: pick(random, SECCOMP_OPERATORS),
    value: value < 2n ** 53n && random(2) === 0 ? Number(value) : value,
    ...(random(2) === 0 ? {} : { valueTwo: pick(random, VALUES) }),
  };
}

function randomRule(random: Random): SeccompRule {
  const action = pick(random, SECCOMP_ACTIONS);
  const takesErrno = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return {
    names: Array.from({ length: 1 + random(4) }, () => pick(random, NAMES)),
    action,
    ...(takesErrno && random(2) === 0 ? { errnoRet: random(3) } : {}),
    ...(random(3) === 0 ? {} : { args: Array.from({ length: random(4) }, () => randomArgument(random)) }),
  };
}

function randomSeccomp(random: Random): Seccomp {
  return {
    defaultAction: pick(random, SECCOMP_ACTIONS),
    architectures: SECCOMP_ARCHITECTURES.filter(() => random(2) === 0),
    listenerPath: "/run/agent",
    syscalls: Array.from({ length: random(25) }, () => randomRule(random)),
  };
}

/** The numbers at which a filter may change its mind, on every interface. */
function interestingNumbers(host: Architecture): readonly number[] {
  const { native, others } = hostInterfaces(host);
  const named = [native, ...others].flatMap((face) =>
    NAMES.flatMap((name) => {
      const numbers = [numberOf(face, name), multiplexerOf(name)?.number].filter((number) => number !== undefined);
      return numbers.flatMap((number) => [number - 1, number, number + 1].map((near) => (face.base + near) >>> 0));
    }),
  );
  return [...named, 0, 600, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
}

function filter(seccomp: Seccomp, host: Architecture = "x86-64"): (call: Partial<Call>) => number {
  const { program } = compile(seccomp, host);
  const audit = host === "x86-64" ? X86_64 : AARCH64;
  return (call) => simulate(program, { audit, number: 0, args: [], ...call }).result;
}

function errorCode(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof BunkerError) return error.code;
    throw error;
  }
  return undefined;
}

describe("compile", () => {
  test.each(HOSTS)("agrees with a plain reading of random rules on %s", (host) => {
    const random = generator(1);
    const numbers = interestingNumbers(host);
    const audits = [X86_64, I386, AARCH64, 0x4000_0028, 0xdead];
    let decidedByRule = 0;
    for (let round = 0; round < 400; round++) {
      const seccomp = randomSeccomp(random);
      const { program } = compile(seccomp, host);
      for (let trial = 0; trial < 150; trial++) {
        const audit = pick(random, audits);
        // Arguments of 32-bit interfaces have 32 bits.
        const narrow = audit === I386 || audit === 0x4000_0028;
        const args = Array.from({ length: 6 }, () => BigInt.asUintN(narrow ? 32 : 64, pick(random, VALUES)));
        const call = { audit, number: pick(random, numbers), args };
        const expected = evaluate(seccomp, host, call);
        const { result } = simulate(program, call);
        if (result !== expected)
          throw new Error(
            `${result.toString(16)} instead of ${expected.toString(16)}: ${Bun.inspect({ seccomp, call })}`,
          );
        if (result !== KILL_PROCESS && result !== ENOSYS) decidedByRule++;
      }
    }
    expect(decidedByRule).toBeGreaterThan(10_000);
  });

  test("compares 64 bits", () => {
    const compare = (op: SeccompArgument["op"], value: bigint | number, argument: bigint, valueTwo?: bigint) =>
      filter({
        defaultAction: "SCMP_ACT_ERRNO",
        syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", args: [{ index: 1, op, value, valueTwo }] }],
      })({ args: [0n, argument] }) === ALLOW;
    expect(compare("SCMP_CMP_GT", 2n ** 32n, 2n ** 33n)).toBe(true);
    expect(compare("SCMP_CMP_GT", 2n ** 32n + 5n, 2n ** 32n + 5n)).toBe(false);
    expect(compare("SCMP_CMP_LT", 2n ** 64n - 1n, 2n ** 64n - 2n)).toBe(true);
    expect(compare("SCMP_CMP_EQ", 38, 2n ** 32n + 38n)).toBe(false);
    expect(compare("SCMP_CMP_NE", 38, 2n ** 32n + 38n)).toBe(true);
    expect(compare("SCMP_CMP_GE", 0, 0n)).toBe(true);
    expect(compare("SCMP_CMP_LE", 2n ** 64n - 1n, 2n ** 64n - 1n)).toBe(true);
    expect(compare("SCMP_CMP_MASKED_EQ", 0xff00_0000_00ffn, 0x1234_5678_9abcn, 0x1200_0000_00bcn)).toBe(true);
    expect(compare("SCMP_CMP_MASKED_EQ", 0xff00_0000_00ffn, 0x1334_5678_9abcn, 0x1200_0000_00bcn)).toBe(false);
    expect(compare("SCMP_CMP_MASKED_EQ", 0xff, 0x1ffn, 0x3ffn)).toBe(true);
  });

  test("prefers rules without arguments, then the first that matches", () => {
    const run = filter({
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [
        { names: ["read", "write"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, op: "SCMP_CMP_GT", value: 5 }] },
        { names: ["write"], action: "SCMP_ACT_ERRNO", errnoRet: 7, args: [{ index: 0, op: "SCMP_CMP_GT", value: 3 }] },
        { names: ["read"], action: "SCMP_ACT_ERRNO", errnoRet: 8 },
        { names: ["read"], action: "SCMP_ACT_ERRNO", errnoRet: 9 },
      ],
    });
    expect(run({ number: 0, args: [6n] })).toBe(0x0005_0008);
    expect(run({ number: 1, args: [6n] })).toBe(ALLOW);
    expect(run({ number: 1, args: [5n] })).toBe(0x0005_0007);
    expect(run({ number: 1, args: [3n] })).toBe(EPERM);
  });

  test("answers ENOSYS to calls that are newer than the configuration", () => {
    const syscalls: readonly SeccompRule[] = [{ names: ["openat2"], action: "SCMP_ACT_ALLOW" }];
    expect(filter({ defaultAction: "SCMP_ACT_ERRNO", syscalls })({ number: 438 })).toBe(ENOSYS);
    expect(filter({ defaultAction: "SCMP_ACT_ERRNO", syscalls })({ number: 436 })).toBe(EPERM);
    expect(filter({ defaultAction: "SCMP_ACT_KILL", syscalls })({ number: 438 })).toBe(ENOSYS);
    expect(filter({ defaultAction: "SCMP_ACT_LOG", syscalls })({ number: 438 })).toBe(0x7ffc_0000);
    expect(filter({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 5 })({ number: 438 })).toBe(0x0005_0005);
    expect(filter({ defaultAction: "SCMP_ACT_ERRNO", syscalls })({ number: 0xffff_ffff })).toBe(ENOSYS);
  });

  test("filters each interface by its own numbers and kills through others", () => {
    const run = filter({
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_S390X"],
      syscalls: [{ names: ["ioctl", "statx", "waitpid", "mseal"], action: "SCMP_ACT_ALLOW" }],
    });
    expect(run({ number: 16 })).toBe(ALLOW);
    expect(run({ audit: I386, number: 54 })).toBe(ALLOW);
    expect(run({ audit: I386, number: 7 })).toBe(ALLOW);
    expect(run({ audit: I386, number: 462 })).toBe(ALLOW);
    expect(run({ audit: I386, number: 16 })).toBe(EPERM);
    expect(run({ number: 0x4000_0000 + 514 })).toBe(ALLOW);
    expect(run({ number: 0x4000_0000 + 16 })).toBe(EPERM);
    const native = filter({ defaultAction: "SCMP_ACT_ALLOW" });
    expect(native({ audit: I386 })).toBe(KILL_PROCESS);
    expect(native({ number: 0x4000_0000 })).toBe(KILL_PROCESS);
    expect(native({ number: 0xffff_ffff })).toBe(ALLOW);
  });

  test("follows socket calls through socketcall", () => {
    const family = { index: 0, op: "SCMP_CMP_EQ", value: 40 } as const;
    const forbids = filter({
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86"],
      syscalls: [
        { names: ["socket"], action: "SCMP_ACT_ERRNO", args: [family] },
        { names: ["semop"], action: "SCMP_ACT_ERRNO" },
      ],
    });
    expect(forbids({ audit: I386, number: 102, args: [1n, 40n] })).toBe(EPERM);
    expect(forbids({ audit: I386, number: 102, args: [2n] })).toBe(ALLOW);
    expect(forbids({ audit: I386, number: 117, args: [0x1_0001n] })).toBe(EPERM);
    const permits = filter({
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: ["SCMP_ARCH_X86"],
      syscalls: [
        { names: ["socket"], action: "SCMP_ACT_ALLOW", args: [family] },
        { names: ["bind"], action: "SCMP_ACT_ALLOW" },
      ],
    });
    expect(permits({ audit: I386, number: 102, args: [1n] })).toBe(EPERM);
    expect(permits({ audit: I386, number: 102, args: [2n] })).toBe(ALLOW);
    // Known only through the multiplexer.
    const recv: Seccomp = {
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: ["SCMP_ARCH_X86"],
      syscalls: [{ names: ["recv"], action: "SCMP_ACT_ALLOW" }],
    };
    expect(filter(recv)({ audit: I386, number: 102, args: [10n] })).toBe(ALLOW);
    expect(compile(recv, "x86-64").warnings).toEqual([]);
  });

  test("reports names that no filtered interface has", () => {
    const syscalls: readonly SeccompRule[] = [
      { names: ["read", "chown32", "nonesuch", "__proto__"], action: "SCMP_ACT_ALLOW" },
    ];
    const warningsFor = (architectures: Seccomp["architectures"]) =>
      compile({ defaultAction: "SCMP_ACT_ERRNO", architectures, syscalls }, "x86-64").warnings;
    expect(warningsFor([])).toEqual([{ kind: "unknown-system-calls", names: ["chown32", "nonesuch", "__proto__"] }]);
    expect(warningsFor(["SCMP_ARCH_X86"])).toEqual([
      { kind: "unknown-system-calls", names: ["nonesuch", "__proto__"] },
    ]);
  });

  test("translates flags", () => {
    const flags = (flags: Seccomp["flags"], action: "SCMP_ACT_ALLOW" | "SCMP_ACT_NOTIFY" = "SCMP_ACT_ALLOW") =>
      compile(
        { defaultAction: "SCMP_ACT_ERRNO", flags, listenerPath: "/run/agent", syscalls: [{ names: ["read"], action }] },
        "x86-64",
      ).flags;
    expect(flags(undefined)).toBe(4);
    expect(flags([])).toBe(0);
    expect(flags(["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"])).toBe(3);
    expect(flags(["SECCOMP_FILTER_FLAG_TSYNC"], "SCMP_ACT_NOTIFY")).toBe(1 | 8 | 16);
    expect(flags(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "SCMP_ACT_NOTIFY")).toBe(8 | 32);
    const { flags: none, warnings } = compile(
      { defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] },
      "x86-64",
    );
    expect(none).toBe(0);
    expect(warnings).toEqual([{ kind: "flag-without-notification", flag: "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" }]);
  });

  test("says where notifications go", () => {
    const syscalls: readonly SeccompRule[] = [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }];
    const listening = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/agent", listenerMetadata: "m" } as const;
    expect(compile({ ...listening, syscalls }, "x86-64").listener).toEqual({ path: "/run/agent", metadata: "m" });
    expect(compile(listening, "x86-64").listener).toBeUndefined();
    expect(errorCode(() => compile({ defaultAction: "SCMP_ACT_ALLOW", syscalls }, "x86-64"))).toBe(
      "seccomp_listener_missing",
    );
    expect(errorCode(() => compile({ defaultAction: "SCMP_ACT_ALLOW", listenerMetadata: "m" }, "x86-64"))).toBe(
      "seccomp_listener_missing",
    );
  });

  test("refuses what cannot be meant", () => {
    const code = (rule: Partial<SeccompRule>) =>
      errorCode(() =>
        compile(
          { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["read"], action: "SCMP_ACT_ERRNO", ...rule }] },
          "x86-64",
        ),
      );
    const value = (value: number | bigint) => code({ args: [{ index: 0, op: "SCMP_CMP_EQ", value }] });
    expect(value(2 ** 53)).toBe("seccomp_value_invalid");
    expect(value(-1)).toBe("seccomp_value_invalid");
    expect(value(1.5)).toBe("seccomp_value_invalid");
    expect(value(2n ** 64n)).toBe("seccomp_value_invalid");
    expect(value(2n ** 64n - 1n)).toBeUndefined();
    expect(code({ args: [{ index: 6, op: "SCMP_CMP_EQ", value: 0 }] })).toBe("seccomp_argument_invalid");
    expect(code({ errnoRet: 4096 })).toBe("seccomp_errno_invalid");
    expect(code({ errnoRet: 4095 })).toBeUndefined();
    expect(code({ action: "SCMP_ACT_TRACE", errnoRet: 65535 })).toBeUndefined();
    expect(code({ action: "SCMP_ACT_KILL", errnoRet: 1 })).toBe("seccomp_errno_invalid");
  });

  test("takes programs up to the kernel's limit, with jumps of any length", () => {
    const rules = (count: number): readonly SeccompRule[] =>
      Array.from({ length: count }, (_, index) => ({
        names: ["read"],
        action: "SCMP_ACT_ERRNO",
        errnoRet: index,
        args: [{ index: 0, op: "SCMP_CMP_MASKED_EQ", value: 0xffff, valueTwo: index }],
      }));
    const run = filter({ defaultAction: "SCMP_ACT_ALLOW", syscalls: rules(900) });
    for (const argument of [0, 1, 63, 255, 256, 899]) {
      expect(run({ args: [BigInt(argument)] })).toBe(0x0005_0000 + argument);
    }
    expect(run({ args: [900n] })).toBe(ALLOW);
    expect(run({ number: 1 })).toBe(ALLOW);
    expect(errorCode(() => compile({ defaultAction: "SCMP_ACT_ALLOW", syscalls: rules(1500) }, "x86-64"))).toBe(
      "seccomp_filter_too_long",
    );
  });
});

describe("Docker's default profile", () => {
  const resolved = (architecture: Architecture, capabilities: readonly string[] = []) =>
    resolveProfile(defaultProfile(), { architecture, capabilities, kernelVersion: "6.18.0" });

  test.each(HOSTS)("costs few instructions for every call on %s", (host) => {
    const seccomp = resolved(host);
    const { program, instructionCount } = compile(seccomp, host);
    const { native, others } = hostInterfaces(host);
    const wrong: Call[] = [];
    let most = 0;
    for (const face of [native, ...others]) {
      for (let number = 0; number < 600; number++) {
        for (const value of VALUES) {
          const call = {
            audit: face.audit,
            number: face.base + number,
            args: [face.narrow ? BigInt.asUintN(32, value) : value],
          };
          const { result, steps } = simulate(program, call);
          if (result !== evaluate(seccomp, host, call)) wrong.push(call);
          most = Math.max(most, steps);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(most).toBeLessThanOrEqual(24);
    expect(instructionCount).toBeLessThan(400);
  });

  test("grants what capabilities allow", () => {
    const run = filter(resolved("x86-64"));
    const admin = filter(resolved("x86-64", ["CAP_SYS_ADMIN"]));
    const CLONE_NEWUSER = 0x1000_0000n;
    expect(run({ number: 56, args: [CLONE_NEWUSER] })).toBe(EPERM);
    expect(run({ number: 56, args: [0x11n] })).toBe(ALLOW);
    expect(admin({ number: 56, args: [CLONE_NEWUSER] })).toBe(ALLOW);
    expect(run({ number: 435 })).toBe(ENOSYS);
    expect(run({ number: 165 })).toBe(EPERM);
    expect(admin({ number: 165 })).toBe(ALLOW);
  });

  test("refuses AF_ALG and AF_VSOCK whatever the upper half of the register holds", () => {
    const run = filter(resolved("x86-64"));
    for (const [family, isAllowed] of [
      [2n, true],
      [38n, false],
      [39n, true],
      [40n, false],
      [41n, true],
    ] as const) {
      for (const upper of [0n, 1n << 32n])
        expect(run({ number: 41, args: [family | upper] }) === ALLOW).toBe(isAllowed);
    }
  });
});

describe("system call numbers", () => {
  const include = "/usr/include/x86_64-linux-gnu/asm";
  const headers = [
    ["SCMP_ARCH_X86", `${include}/unistd_32.h`],
    ["SCMP_ARCH_X86_64", `${include}/unistd_64.h`],
    ["SCMP_ARCH_X32", `${include}/unistd_x32.h`],
    ["SCMP_ARCH_ARM", "/usr/arm-linux-gnueabihf/include/asm/unistd-eabi.h"],
  ] as const;
  for (const [name, path] of headers) {
    test.skipIf(!existsSync(path))(`of ${name} are those of the kernel's header`, () => {
      const interfaces = HOSTS.flatMap((host) => [hostInterfaces(host).native, ...hostInterfaces(host).others]);
      const face = interfaces.find((one) => one.name === name);
      if (face === undefined) throw new Error(`no interface ${name}`);
      const defines = [...readFileSync(path, "utf8").matchAll(/#define __NR_(\w+)\s+\(?(?:__\w+ ?\+ ?)?(\d+)\)?/g)];
      expect(defines.length).toBeGreaterThan(300);
      const wrong = defines.filter(([, call = "", number]) => numberOf(face, call) !== Number(number));
      expect(wrong.map(([line]) => line)).toEqual([]);
      const listed = new Set(defines.map(([, call]) => call));
      const oldest = Object.keys({ ...face.own, ...face.native }).filter((call) => (numberOf(face, call) ?? 424) < 424);
      const extra = oldest.filter((call) => !listed.has(call));
      // Younger than the headers of some distributions, or named in another header.
      const elsewhere = ["uretprobe", "uprobe", "sync_file_range2"];
      expect(extra.filter((call) => !elsewhere.includes(call))).toEqual([]);
    });
  }
});
