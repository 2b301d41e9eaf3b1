import { describe, expect, test } from "bun:test";
import { compile } from "../../../../src/runtime/seccomp/compile.ts";
import { defaultProfile } from "../../../../src/runtime/seccomp/default-profile.ts";
import { resolveProfile } from "../../../../src/runtime/seccomp/resolve-profile.ts";
import type { Seccomp, SeccompArgument, SeccompRule } from "../../../../src/runtime/seccomp/seccomp.ts";
import { hostArchitecture } from "../../../../src/sys/architecture.ts";
import { Errno } from "../../../../src/sys/errno.ts";
import { FileDescriptor } from "../../../../src/sys/file-descriptor.ts";
import { allocate } from "../../../../src/sys/memory.ts";
import { check, SystemCall, systemCall } from "../../../../src/sys/system-call.ts";
import { systemCallNumber } from "../../../../src/sys/system-call-number.ts";
import type { Task } from "./filtered-child.ts";

const host = hostArchitecture();
const isX86_64 = host === "x86-64";

// A call that nobody else makes on the filtered thread, and that succeeds.
const PROBE = "sched_get_priority_max";
const SCHED_FIFO = 1;
const PROBE_RESULT = 99;

type TaskCall = Task["calls"][number];

function call(number: number, ...args: number[]): TaskCall {
  return { by: "syscall", number, args };
}

function spawn(seccomp: Seccomp, calls: readonly TaskCall[]) {
  const { program, flags } = compile(seccomp, host);
  const task: Task = { program: Buffer.from(program).toString("hex"), flags, calls };
  const command = [process.execPath, `${import.meta.dir}/filtered-child.ts`, JSON.stringify(task)];
  return Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
}

/** Makes calls under a filter, in a process of their own. */
async function run(seccomp: Seccomp, ...calls: TaskCall[]) {
  await using child = spawn(seccomp, calls);
  const output = await child.stdout.text();
  await child.exited;
  return { results: output.trim().split("\n").slice(1).map(Number), signal: child.signalCode };
}

/** Allows everything but what a rule for the probe says. */
function probing(rule: Omit<SeccompRule, "names">, flags?: Seccomp["flags"]): Seccomp {
  return { defaultAction: "SCMP_ACT_ALLOW", flags, syscalls: [{ names: [PROBE], ...rule }] };
}

const NUMBER = systemCallNumber(PROBE, hostArchitecture());
const probe = call(NUMBER, SCHED_FIFO);

describe("filters in the kernel", () => {
  test("let calls through, and refuse them with an errno", async () => {
    expect((await run(probing({ action: "SCMP_ACT_ALLOW" }), probe)).results).toEqual([PROBE_RESULT]);
    expect((await run(probing({ action: "SCMP_ACT_ERRNO" }), probe)).results).toEqual([-Errno.EPERM]);
    const refused = probing({ action: "SCMP_ACT_ERRNO", errnoRet: Errno.EXDEV });
    expect((await run(refused, probe)).results).toEqual([-Errno.EXDEV]);
  });

  test("log calls, and refuse to trace them without a tracer", async () => {
    const logged = probing({ action: "SCMP_ACT_LOG" }, ["SECCOMP_FILTER_FLAG_LOG"]);
    expect((await run(logged, probe)).results).toEqual([PROBE_RESULT]);
    expect((await run(probing({ action: "SCMP_ACT_TRACE" }), probe)).results).toEqual([-Errno.ENOSYS]);
  });

  test("kill the process, and trap", async () => {
    for (const action of ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] as const) {
      const { results, signal } = await run(probing({ action }), call(SystemCall.getppid), probe, probe);
      expect(results).toHaveLength(1);
      expect(signal).toBe("SIGSYS");
    }
  });

  test("compare arguments of 64 bits", async () => {
    const args = (op: SeccompArgument["op"], value: number, valueTwo?: number) =>
      probing({ action: "SCMP_ACT_ERRNO", args: [{ index: 1, op, value, valueTwo }] });
    const number = NUMBER;
    // The call has one argument; the filter sees the second all the same.
    const values = [0, 5, 2 ** 32, 2 ** 32 + 5, 2 ** 40 + 5].map((value) => call(number, SCHED_FIFO, value));
    const refused = async (seccomp: Seccomp) => (await run(seccomp, ...values)).results.map((result) => result < 0);
    expect(await refused(args("SCMP_CMP_EQ", 5))).toEqual([false, true, false, false, false]);
    expect(await refused(args("SCMP_CMP_GT", 5))).toEqual([false, false, true, true, true]);
    expect(await refused(args("SCMP_CMP_LE", 2 ** 32))).toEqual([true, true, true, false, false]);
    expect(await refused(args("SCMP_CMP_MASKED_EQ", 0xff, 5))).toEqual([false, true, false, true, true]);
    expect(await refused(args("SCMP_CMP_MASKED_EQ", 2 ** 40, 2 ** 40))).toEqual([false, false, false, false, true]);
  });

  test("ask an agent", async () => {
    const SECCOMP_IOCTL_NOTIF_RECV = 0xc050_2100;
    const SECCOMP_IOCTL_NOTIF_SEND = 0xc018_2101;
    const seccomp: Seccomp = {
      ...probing({ action: "SCMP_ACT_NOTIFY" }, ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]),
      listenerPath: "/unused",
    };
    await using child = spawn(seccomp, [probe]);
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const inChild = Number.parseInt(Buffer.from(value ?? []).toString(), 10);
    using pidfd = new FileDescriptor(check(systemCall(SystemCall.pidfd_open, child.pid), "open the child"));
    using listener = new FileDescriptor(
      check(systemCall(SystemCall.pidfd_getfd, pidfd.number, inChild), "take the listener"),
    );
    // struct seccomp_notif: id, pid, flags, data; struct seccomp_notif_resp: id, val, error, flags.
    const request = allocate(80);
    const response = allocate(24);
    check(systemCall(SystemCall.ioctl, listener.number, SECCOMP_IOCTL_NOTIF_RECV, request.address), "receive");
    expect(request.view.getUint32(8, true)).toBe(child.pid);
    expect(request.view.getUint32(16, true)).toBe(NUMBER);
    expect(request.view.getUint32(32, true)).toBe(SCHED_FIFO);
    response.view.setBigUint64(0, request.view.getBigUint64(0, true), true);
    response.view.setBigInt64(8, 4711n, true);
    check(systemCall(SystemCall.ioctl, listener.number, SECCOMP_IOCTL_NOTIF_SEND, response.address), "answer");
    let rest = "";
    for (let next = await reader.read(); next.value !== undefined; next = await reader.read()) {
      rest += Buffer.from(next.value).toString();
    }
    expect(rest).toBe("4711\n");
    expect(await child.exited).toBe(0);
  });

  test("of the default profile let this runtime live and refuse what they should", async () => {
    const context = { architecture: host, capabilities: [], kernelVersion: "6.18.0" };
    const seccomp = resolveProfile(defaultProfile(), context);
    const AF_UNIX = 1;
    const AF_ALG = 38;
    const { results, signal } = await run(
      seccomp,
      probe,
      call(SystemCall.mount),
      call(SystemCall.clone3),
      call(SystemCall.socket, AF_ALG, 5, 0),
      call(SystemCall.socket, 2 ** 32 + AF_ALG, 5, 0),
      call(SystemCall.socket, AF_UNIX, 7, 0),
      call(5000),
    );
    const { EAFNOSUPPORT, ENOSYS, EPERM, ESOCKTNOSUPPORT } = Errno;
    expect(results).toEqual([PROBE_RESULT, -EPERM, -ENOSYS, -EAFNOSUPPORT, -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -ENOSYS]);
    expect(signal).toBeNull();
  });

  test.if(isX86_64)("see calls of 32-bit x86", async () => {
    const i386GetPriorityMax = 159;
    const number = i386GetPriorityMax;
    const through80: TaskCall = { by: "int80", number, args: [SCHED_FIFO] };
    const refused = probing({ action: "SCMP_ACT_ERRNO", errnoRet: Errno.EXDEV });
    const listed: Seccomp = { ...refused, architectures: ["SCMP_ARCH_X86"] };
    // Under some hypervisors the instruction is a fault; what the filters say of it, compile.test.ts looks at everywhere.
    const allowing: Seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86"] };
    if ((await run(allowing, through80)).signal !== "SIGSEGV") {
      expect((await run(listed, through80, { ...through80, number: 20 })).results).toEqual([
        -Errno.EXDEV,
        expect.any(Number),
      ]);
      expect((await run(refused, through80)).signal).toBe("SIGSYS");
    }
    expect((await run(refused, call(0x4000_0000 + SystemCall.getppid))).signal).toBe("SIGSYS");
  });
});
