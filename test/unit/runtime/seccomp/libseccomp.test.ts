/** Compares filters with those that libseccomp makes, where it is installed. */

import { dlopen } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostInterfaces, type SystemCallInterface } from "../../../../src/runtime/seccomp/architectures.ts";
import { compile } from "../../../../src/runtime/seccomp/compile.ts";
import { defaultProfile } from "../../../../src/runtime/seccomp/default-profile.ts";
import { resolveProfile } from "../../../../src/runtime/seccomp/resolve-profile.ts";
import { SECCOMP_OPERATORS, type Seccomp } from "../../../../src/runtime/seccomp/seccomp.ts";
import { hostArchitecture } from "../../../../src/sys/architecture.ts";
import { allocate } from "../../../../src/sys/memory.ts";
import { resultOf } from "./reference.ts";
import { type Call, simulate } from "./simulator.ts";

function openLibseccomp() {
  try {
    return dlopen("libseccomp.so.2", {
      seccomp_init: { args: ["u32"], returns: "ptr" },
      seccomp_release: { args: ["ptr"], returns: "void" },
      seccomp_arch_add: { args: ["ptr", "u32"], returns: "i32" },
      seccomp_arch_resolve_name: { args: ["ptr"], returns: "u32" },
      seccomp_syscall_resolve_name: { args: ["ptr"], returns: "i32" },
      seccomp_rule_add_array: { args: ["ptr", "u32", "i32", "u32", "ptr"], returns: "i32" },
      seccomp_export_bpf: { args: ["ptr", "i32"], returns: "i32" },
    }).symbols;
  } catch {
    return undefined;
  }
}

const libseccomp = openLibseccomp();
const host = hostArchitecture();
const UNKNOWN = -1;

function text(value: string): never {
  const memory = allocate(value.length + 1);
  memory.buffer.write(value, "latin1");
  return memory.address as never;
}

/** libseccomp's program for a configuration, called as runc calls it; `known` gets the names that it has. */
function compileWithLibseccomp(seccomp: Seccomp, known: Set<string>): Uint8Array {
  if (libseccomp === undefined) throw new Error("libseccomp is missing");
  const defaultResult = resultOf(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const filter = libseccomp.seccomp_init(defaultResult);
  if (filter === null) throw new Error("seccomp_init failed");
  for (const architecture of seccomp.architectures ?? []) {
    const name = architecture.replace("SCMP_ARCH_", "").toLowerCase();
    libseccomp.seccomp_arch_add(filter, libseccomp.seccomp_arch_resolve_name(text(name)));
  }
  // struct scmp_arg_cmp: unsigned int arg; enum scmp_compare op; uint64_t datum_a, datum_b.
  const comparisons = allocate(6 * 24);
  for (const { names, action, errnoRet, args = [] } of seccomp.syscalls ?? []) {
    const result = resultOf(action, errnoRet);
    args.forEach(({ index, op, value, valueTwo = 0 }, position) => {
      comparisons.view.setUint32(position * 24, index, true);
      comparisons.view.setUint32(position * 24 + 4, SECCOMP_OPERATORS.indexOf(op) + 1, true);
      comparisons.view.setBigUint64(position * 24 + 8, BigInt(value), true);
      comparisons.view.setBigUint64(position * 24 + 16, BigInt(valueTwo), true);
    });
    for (const name of names) {
      const number = libseccomp.seccomp_syscall_resolve_name(text(name));
      if (number === UNKNOWN) continue;
      known.add(name);
      if (result === defaultResult) continue;
      const address = comparisons.address as never;
      expect(libseccomp.seccomp_rule_add_array(filter, result, number, args.length, address)).toBe(0);
    }
  }
  const directory = mkdtempSync(join(tmpdir(), "libseccomp-"));
  try {
    const path = join(directory, "filter");
    const file = openSync(path, "w");
    expect(libseccomp.seccomp_export_bpf(filter, file)).toBe(0);
    closeSync(file);
    return readFileSync(path);
  } finally {
    rmSync(directory, { recursive: true });
    libseccomp.seccomp_release(filter);
  }
}

/** The calls about which the two programs differ. */
function differences(
  seccomp: Seccomp,
  faces: readonly SystemCallInterface[],
  values: readonly bigint[],
): readonly Call[] {
  const known = new Set<string>();
  const theirs = compileWithLibseccomp(seccomp, known);
  // An older libseccomp knows fewer calls.
  const common = {
    ...seccomp,
    syscalls: seccomp.syscalls?.map((rule) => ({ ...rule, names: rule.names.filter((name) => known.has(name)) })),
  };
  const { program } = compile(common, host);
  const wrong: Call[] = [];
  for (const { audit, base } of faces) {
    // Above 440, libseccomp says the default where ours says that the call is too new.
    const numbers = Array.from({ length: 440 }, (_, index) => base + index);
    if (base !== 0) numbers.push(...Array.from({ length: 36 }, (_, index) => base + 512 + index));
    for (const number of numbers) {
      for (const value of values) {
        const call = { audit, number, args: [value] };
        if (simulate(theirs, call).result !== simulate(program, call).result) wrong.push(call);
      }
    }
  }
  return wrong;
}

describe.skipIf(libseccomp === undefined)("libseccomp agrees", () => {
  const { native, others } = hostInterfaces(host);

  test("about Docker's default profile", () => {
    const context = { architecture: host, capabilities: ["CAP_SYS_CHROOT"], kernelVersion: "6.18.0" };
    const resolved = resolveProfile(defaultProfile(), context);
    const values = [0n, 8n, 37n, 38n, 39n, 40n, 41n, 0x2_0000n, 0x1000_0000n, 0xffff_ffffn];
    expect(differences(resolved, [native, ...others], values)).toEqual([]);
  });

  test("about every comparison", () => {
    const values = [0n, 1n, 5n, 0xffff_ffffn, 2n ** 32n, 2n ** 32n + 5n, 2n ** 63n, 2n ** 64n - 1n];
    for (const op of SECCOMP_OPERATORS) {
      for (const value of values) {
        const args = [{ index: 0, op, value, valueTwo: 5n }];
        const rule = { names: ["read"], action: "SCMP_ACT_ERRNO", args } as const;
        expect(differences({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] }, [native], values)).toEqual([]);
      }
    }
  });

  test("that rules without arguments decide alone", () => {
    const args = [{ index: 0, op: "SCMP_CMP_GT", value: 5 }] as const;
    const conditional = { names: ["read"], action: "SCMP_ACT_ALLOW", args } as const;
    const always = { names: ["read"], action: "SCMP_ACT_ERRNO", errnoRet: 7 } as const;
    const other = { ...always, errnoRet: 8 };
    for (const syscalls of [
      [conditional, always, other],
      [always, other, conditional],
    ]) {
      expect(differences({ defaultAction: "SCMP_ACT_LOG", syscalls }, [native], [0n, 9n])).toEqual([]);
    }
  });
});
