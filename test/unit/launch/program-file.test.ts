/** Every kind of operation on both processors, in program files: the foreign one runs under QEMU. */
import { describe, expect, test } from "bun:test";
import { ERROR_DESCRIPTOR_SLOT, OPERATION_SIZE, type Slot } from "../../../src/launch/operation.ts";
import { OperationTable } from "../../../src/launch/operation-table.ts";
import { encodeProgramFile, VARIABLES_ADDRESS, VARIABLES_BUFFER_ADDRESS } from "../../../src/launch/program-file.ts";
import type { Architecture } from "../../../src/sys/architecture.ts";
import { Errno } from "../../../src/sys/errno.ts";
import { ChildInformation, WaitFor, WaitOption } from "../../../src/sys/process.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { executableFile } from "./run-file.ts";
import { unexpected } from "./run-program.ts";

const memory = VARIABLES_BUFFER_ADDRESS;

/** Makes a program file and runs it with two arguments and one environment variable. */
function run(architecture: Architecture, build: (table: OperationTable, stack: Slot) => void) {
  const table = new OperationTable(VARIABLES_ADDRESS);
  const stack = table.slot("stack");
  build(table, stack);
  using file = executableFile(architecture, encodeProgramFile(architecture, table, stack, "fixed"));
  const { exitCode, stdout } = Bun.spawnSync([...file.command, "one", "two"], { env: { NAME: "value" } });
  return { exitCode, stdout };
}

/** Adds exit_group(status). */
function exit(table: OperationTable, status: number | Slot): void {
  table.call("exit_group", [status], unexpected);
}

/** Adds an exit with a status of its own unless the slot has the value. */
function expectValue(table: OperationTable, slot: Slot, value: number): void {
  const right = table.label();
  table.branch(slot, "equal", value, right);
  exit(table, 100 + (table.operations.length % 100));
  table.place(right);
}

describe.each(["x86-64", "arm64"] as const)("on %s", (architecture) => {
  test("values, slots, loads, stores and sums", () => {
    const { exitCode } = run(architecture, (table) => {
      const [a, b] = [table.slot("a"), table.slot("b")];
      table.set(a, -(2 ** 50) - 1);
      expectValue(table, a, -(2 ** 50) - 1);
      table.add(b, a, 3, 4);
      expectValue(table, b, -(2 ** 50) + 47);
      table.set(b, 6);
      table.add(a, 1, b, 6);
      expectValue(table, a, 1 + 6 * 64);
      table.store64(-1, memory);
      table.store32(0x1_2345, memory, 4);
      table.load64(a, memory - 8, 8);
      expectValue(table, a, 0x1_2345 * 2 ** 32 + 0xffff_ffff);
      table.set(b, memory);
      table.load32(a, b);
      expectValue(table, a, -1);
      table.load64(a, table.addressOf(b));
      expectValue(table, a, memory);
      exit(table, 0);
    });
    expect(exitCode).toBe(0);
  });

  test("branches", () => {
    const { exitCode } = run(architecture, (table) => {
      const wrong = table.label("wrong");
      const slot = table.slot("slot");
      table.branch(-1, "equal", 1, wrong);
      table.branch(1, "less", -1, wrong);
      table.branch(1, "less", 1, wrong);
      table.branch(1, "not equal", 1, wrong);
      for (const [left, relation, right] of [
        [-1, "less", 1],
        [7, "equal", 7],
        [7, "not equal", 7 + 2 ** 32],
      ] as const) {
        const taken = table.label("taken");
        table.set(slot, left);
        table.branch(slot, relation, right, taken);
        table.jump(wrong);
        table.place(taken);
      }
      exit(table, 0);
      table.place(wrong);
      exit(table, 1);
    });
    expect(exitCode).toBe(0);
  });

  test("arguments and environment are on the initial stack", () => {
    const { stdout } = run(architecture, (table, stack) => {
      const [count, second, environment] = [table.slot("argc"), table.slot("argv[2]"), table.slot("envp[0]")];
      table.load64(count, stack);
      table.load64(second, stack, 8 + 2 * 8);
      table.add(environment, stack, count, 3);
      table.load64(environment, environment, 16);
      table.call("write", [1, second, 3], unexpected);
      table.call("write", [1, environment, 10], unexpected);
      exit(table, count);
    });
    expect(stdout.toString()).toBe("twoNAME=value");
  });

  test("all six arguments of a call, as values and as slots", () => {
    const { exitCode } = run(architecture, (table) => {
      const values = [0, 65536, 3, 0x22, -1, 0];
      const slots = values.map((value, index) => {
        const slot = table.slot(`argument ${index}`);
        table.set(slot, value);
        return slot;
      });
      const result = table.slot("result");
      for (const args of [values, slots]) {
        table.call("mmap", args, unexpected, { result });
        table.store64(77, result, 65528);
        table.load64(result, result, 65528);
        expectValue(table, result, 77);
      }
      exit(table, 0);
    });
    expect(exitCode).toBe(0);
  });

  test("ignored errors", () => {
    const { exitCode } = run(architecture, (table) => {
      for (const ignore of [[Errno.EBADF], [Errno.EIO, Errno.EBADF], "any"] as const) {
        const result = table.slot("result");
        const [ignored, success] = [table.label("ignored"), table.label("success")];
        table.call("close", [12345], unexpected, { result, ignore, onIgnored: ignored, onSuccess: success });
        table.place(success);
        exit(table, 1);
        table.place(ignored);
        expectValue(table, result, -Errno.EBADF);
      }
      exit(table, 0);
    });
    expect(exitCode).toBe(0);
  });

  test("fork and wait", () => {
    const { exitCode } = run(architecture, (table) => {
      const [child, status] = [table.slot("child"), table.slot("status")];
      const inChild = table.label("in child");
      table.set(child, 99);
      table.fork(unexpected, { child: inChild, flags: Signal.SIGCHLD, result: child });
      table.call("waitid", [WaitFor.PID, child, memory, WaitOption.WEXITED, 0], unexpected);
      table.load32(status, memory, ChildInformation.status);
      exit(table, status);
      table.place(inChild);
      expectValue(table, child, 99);
      exit(table, 42);
    });
    expect(exitCode).toBe(42);
  });

  test.each([
    ["a failing call", Errno.EBADF, (table: OperationTable) => table.call("close", [12345], unexpected)],
    [
      "a call with other ignored errors",
      Errno.EBADF,
      (table: OperationTable) => table.call("close", [12345], unexpected, { ignore: [Errno.EIO, Errno.EPERM] }),
    ],
    ["fail with an errno", Errno.ENOSPC, (table: OperationTable) => table.fail(unexpected, Errno.ENOSPC)],
    ["fail without", 0, (table: OperationTable) => table.fail(unexpected)],
  ])("%s writes its record and exits with 127", (_, errno, failing) => {
    const { exitCode, stdout } = run(architecture, (table) => {
      table.set({ name: "error descriptor", index: ERROR_DESCRIPTOR_SLOT }, 1);
      failing(table);
      failing(table);
      exit(table, 0);
    });
    expect(exitCode).toBe(127);
    expect(stdout.length).toBe(8);
    expect(stdout.readInt32LE(4)).toBe(errno);
    // The operations of a file lie before the slots, so their place wraps around; the second one would differ by 1.
    const later = run(architecture, (table) => {
      table.set({ name: "error descriptor", index: ERROR_DESCRIPTOR_SLOT }, 1);
      table.set(table.slot("slot"), 0);
      failing(table);
      exit(table, 0);
    });
    expect(later.stdout.readUInt32LE(0)).toBe((stdout.readUInt32LE(0) + 1) % (2 ** 32 / OPERATION_SIZE));
  });
});
