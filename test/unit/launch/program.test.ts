import { describe, expect, test } from "bun:test";
import { readSync, writeSync } from "node:fs";
import { launch, readFailure } from "../../../src/launch/launch.ts";
import { LaunchProgram } from "../../../src/launch/program.ts";
import { CloneFlag } from "../../../src/sys/clone.ts";
import { Errno } from "../../../src/sys/errno.ts";
import { allocate } from "../../../src/sys/memory.ts";
import { ChildInformation, CLD_EXITED, WaitFor, WaitOption, waitForExit } from "../../../src/sys/process.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { pipe } from "../../../src/sys/socket.ts";
import { runProgram, unexpected } from "./run-program.ts";

/** Adds exit_group(status). */
function exit(program: LaunchProgram, status: number): void {
  program.call("exit_group", [status], { operation: "exit" });
}

describe("operations", () => {
  test("a system call stores its result, and a slot is an argument of a later one", () => {
    using program = new LaunchProgram();
    const pid = program.slot("pid");
    const group = program.slot("process group");
    program.call("getpid", [], unexpected, { result: pid });
    program.call("setpgid", [pid, pid], unexpected);
    program.call("getpgid", [pid], unexpected, { result: group });
    exit(program, 7);
    expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 7 } });
    expect(program.read(pid)).toBeGreaterThan(1);
    expect(program.read(group)).toBe(program.read(pid));
  });

  test("all six arguments reach the kernel as values and as slots", () => {
    using program = new LaunchProgram();
    const values = [0, 8192, 3, 0x22, -1, 0];
    const slots = values.map((_, index) => program.slot(`argument ${index}`));
    const [first, second, third] = [program.slot("first"), program.slot("second"), program.slot("third")];
    for (const [index, slot] of slots.entries()) program.set(slot, values[index] ?? 0);
    program.call("mmap", values, unexpected, { result: first });
    program.call("mmap", slots, unexpected, { result: second });
    program.store64(-2, second, 8184);
    program.load64(third, second, 8184);
    exit(program, 0);
    expect(runProgram(program).failure).toBeUndefined();
    expect(program.read(first)).toBeGreaterThan(0);
    expect(program.read(second)).not.toBe(program.read(first));
    expect(program.read(third)).toBe(-2);
  });

  test.each([
    [5, "equal", 5, true],
    [5, "equal", 6, false],
    [2 ** 40, "equal", 0, false],
    [5, "not equal", 6, true],
    [5, "not equal", 5, false],
    [-1, "less", 1, true],
    [1, "less", -1, false],
    [1, "less", 1, false],
    [-(2 ** 40), "less", 2 ** 40, true],
  ] as const)("branch: %d %s %d is %p", (left, relation, right, expected) => {
    for (const asSlot of [false, true]) {
      using program = new LaunchProgram();
      const slot = program.slot("left");
      const taken = program.label("taken");
      program.set(slot, left);
      program.branch(asSlot ? slot : left, relation, right, taken);
      exit(program, 0);
      program.place(taken);
      exit(program, 1);
      expect(runProgram(program).end).toEqual({ exitCode: expected ? 1 : 0 });
    }
  });

  test("a subroutine comes back to each of its callers, and is passed by", () => {
    using program = new LaunchProgram();
    const [sum, addend] = [program.slot("sum"), program.slot("addend")];
    const add = program.subroutine("add", () => program.add(sum, sum, addend));
    const twice = program.subroutine("add twice", () => program.add(sum, sum, addend, 1));
    program.subroutine("never called", () => program.fail(unexpected));
    for (const [value, subroutine] of [
      [1, add],
      [10, twice],
      [100, add],
      [1000, add],
    ] as const) {
      program.set(addend, value);
      program.callSubroutine(subroutine);
    }
    program.placeSubroutines();
    exit(program, 0);
    expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 0 } });
    expect(program.read(sum)).toBe(1121);
  });

  test("a called subroutine has to be placed", () => {
    using program = new LaunchProgram();
    program.callSubroutine(program.subroutine("missing", () => {}));
    exit(program, 0);
    expect(() => program.prepare(2)).toThrow("label missing was never placed");
  });

  test("jumps go forward and back", () => {
    using program = new LaunchProgram();
    const [start, finish] = [program.label("start"), program.label("finish")];
    program.jump(start);
    program.place(finish);
    exit(program, 4);
    program.place(start);
    program.jump(finish);
    expect(runProgram(program).end).toEqual({ exitCode: 4 });
  });

  test("load and store keep to their width, and 32-bit loads extend the sign", () => {
    using program = new LaunchProgram();
    const memory = program.reserve(32);
    memory.view.setInt32(0, -5, true);
    memory.view.setInt32(4, 1, true);
    memory.view.setBigInt64(16, -1n, true);
    const [narrow, wide, offset] = [program.slot("narrow"), program.slot("wide"), program.slot("offset")];
    program.load32(narrow, memory.address);
    program.load64(wide, memory.address);
    program.set(offset, 16);
    program.store32(0x1_2345_6789, memory.address, offset);
    program.store64(2 ** 45 + 3, memory.address, 24);
    exit(program, 0);
    expect(runProgram(program).failure).toBeUndefined();
    expect(program.read(narrow)).toBe(-5);
    expect(program.read(wide)).toBe(2 ** 32 + (2 ** 32 - 5));
    expect(memory.view.getBigUint64(16, true)).toBe(0xffff_ffff_2345_6789n);
    expect(memory.view.getBigUint64(24, true)).toBe(2n ** 45n + 3n);
  });

  test("add shifts its right side", () => {
    using program = new LaunchProgram();
    const [sum, right] = [program.slot("sum"), program.slot("right")];
    program.set(right, 3);
    program.add(sum, -100, right, 4);
    program.add(right, right, right);
    exit(program, 0);
    expect(runProgram(program).failure).toBeUndefined();
    expect(program.read(sum)).toBe(-52);
    expect(program.read(right)).toBe(6);
  });

  test("fork: the parent goes on, the child goes to its label, and the parent waits for it", () => {
    using program = new LaunchProgram();
    const information = program.reserve(128).address;
    const [child, seenByChild] = [program.slot("child"), program.slot("seen by child")];
    const [status, code] = [program.slot("status"), program.slot("code")];
    const inChild = program.label("in child");
    program.fork(unexpected, { child: inChild, flags: Signal.SIGCHLD, result: child });
    program.call("waitid", [WaitFor.PID, child, information, WaitOption.WEXITED, 0], unexpected);
    program.load32(status, information, ChildInformation.status);
    program.load32(code, information, ChildInformation.code);
    exit(program, 2);
    program.place(inChild);
    program.call("getpid", [], unexpected, { result: seenByChild });
    exit(program, 33);
    expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 2 } });
    expect(program.read(child)).toBe(program.read(seenByChild));
    expect(program.read(status)).toBe(33);
    expect(program.read(code)).toBe(CLD_EXITED);
  });
});

describe("errors", () => {
  test("an error that is not ignored names operation, object and errno, and ends the program", () => {
    using program = new LaunchProgram();
    const after = program.slot("after");
    program.set(after, 1);
    program.call(
      "mount",
      [program.text("none"), program.text("/no/such/place"), 0, 4096, 0],
      { operation: "mount proc on", object: "/proc", hint: "Try again." },
      { ignore: [Errno.EBUSY, Errno.EINTR] },
    );
    program.set(after, 2);
    exit(program, 0);
    const { failure, end } = runProgram(program);
    expect(failure).toMatchObject({
      code: "launch_failed",
      operation: "mount proc on",
      object: "/proc",
      errno: Errno.ENOENT,
      hint: "Try again.",
    });
    expect(failure?.message).toBe("mount proc on /proc: ENOENT");
    expect(end).toEqual({ exitCode: 127 });
    expect(program.read(after)).toBe(1);
  });

  test.each([
    ["the first of two", [Errno.EBADF, Errno.EPERM]],
    ["the second of two", [Errno.EPERM, Errno.EBADF]],
    ["any", "any"],
  ] as const)("an ignored errno (%s) is stored and goes its own way", (_, ignore) => {
    using program = new LaunchProgram();
    const result = program.slot("result");
    const ignored = program.label("ignored");
    program.call("close", [12345], unexpected, { result, ignore, onIgnored: ignored });
    exit(program, 1);
    program.place(ignored);
    exit(program, 2);
    expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 2 } });
    expect(program.read(result)).toBe(-Errno.EBADF);
  });

  test("success goes its own way, also where errors would be ignored", () => {
    using program = new LaunchProgram();
    const [success, ignored] = [program.label("success"), program.label("ignored")];
    program.call("getpid", [], unexpected, { ignore: "any", onSuccess: success, onIgnored: ignored });
    exit(program, 1);
    program.place(ignored);
    exit(program, 2);
    program.place(success);
    exit(program, 3);
    expect(runProgram(program).end).toEqual({ exitCode: 3 });
  });

  test("a value that only looks like an error is none", () => {
    using program = new LaunchProgram();
    const loaded = program.slot("loaded");
    program.load64(loaded, program.bytes(Buffer.alloc(8, 0xff)));
    exit(program, 0);
    expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 0 } });
    expect(program.read(loaded)).toBe(-1);
  });

  test("fail with an errno, with a call's result, with a status, with neither", () => {
    const failWith = (build: (program: LaunchProgram) => void) => {
      using program = new LaunchProgram();
      build(program);
      return runProgram(program).failure;
    };
    const what = { operation: "run hook", object: "/bin/hook" };
    expect(failWith((program) => program.fail(what, Errno.ENOSPC))?.message).toBe("run hook /bin/hook: ENOSPC");
    expect(
      failWith((program) => {
        const result = program.slot("result");
        program.call("close", [12345], unexpected, { result, ignore: "any" });
        program.fail(what, result);
      })?.message,
    ).toBe("run hook /bin/hook: EBADF");
    expect(
      failWith((program) => {
        const status = program.slot("status");
        program.set(status, 3);
        program.fail(what, status);
      })?.message,
    ).toBe("run hook /bin/hook: status 3");
    const bare = failWith((program) => program.fail({ ...what, reason: "timed out", code: "hook_failed" }));
    expect(bare).toMatchObject({ message: "run hook /bin/hook: timed out", code: "hook_failed", errno: undefined });
  });

  test("a failure in a grandchild reaches the reader", () => {
    using program = new LaunchProgram();
    const child = program.slot("child");
    const inChild = program.label("in child");
    program.fork(unexpected, { child: inChild, flags: Signal.SIGCHLD, result: child });
    program.call("waitid", [WaitFor.PID, child, 0, WaitOption.WEXITED, 0], unexpected);
    exit(program, 0);
    program.place(inChild);
    program.call("chdir", [program.text("/no/such")], { operation: "enter", object: "/no/such" });
    exit(program, 0);
    const { failure, end } = runProgram(program);
    expect(failure?.message).toBe("enter /no/such: ENOENT");
    expect(end).toEqual({ exitCode: 0 });
  });

  test.each([
    ["/no/such/program", "ENOENT"],
    ["/etc/passwd", "EACCES"],
  ])("exec of %s fails with %s", (path, errno) => {
    using program = new LaunchProgram();
    const what = { operation: "execute", object: path };
    program.call("execve", [program.text(path), program.texts([path]), program.texts([])], what);
    const { failure, end } = runProgram(program);
    expect(failure?.message).toBe(`execute ${path}: ${errno}`);
    expect(end).toEqual({ exitCode: 127 });
  });
});

describe("the arena", () => {
  test("holds texts once, as UTF-8, and refuses NUL", () => {
    using program = new LaunchProgram();
    expect(program.text("/proc")).toBe(program.text("/proc"));
    expect(program.text("/proc")).not.toBe(program.text("/proc2"));
    expect(program.text(Buffer.from("ä"))).toBe(program.text(Buffer.from("ä")));
    expect(program.text(Uint8Array.of(0xe4))).not.toBe(program.text("ä"));
    expect(() => program.text("a\0b")).toThrow("NUL");
  });

  test("a text that was used keeps its bytes in the child", () => {
    using program = new LaunchProgram();
    const pipeEnds = program.reserve(8);
    const [readEnd, writeEnd, count] = [program.slot("read end"), program.slot("write end"), program.slot("count")];
    const received = program.reserve(16);
    program.call("pipe2", [pipeEnds.address, 0], unexpected);
    program.load32(readEnd, pipeEnds.address);
    program.load32(writeEnd, pipeEnds.address, 4);
    program.call("write", [writeEnd, program.text(Uint8Array.of(0xff, 0x41)), 3], unexpected);
    program.call("read", [readEnd, received.address, 16], unexpected, { result: count });
    exit(program, 0);
    expect(runProgram(program).failure).toBeUndefined();
    expect(program.read(count)).toBe(3);
    expect([...received.buffer.subarray(0, 4)]).toEqual([0xff, 0x41, 0, 0]);
  });

  test("argv and the environment arrive", () => {
    using program = new LaunchProgram();
    const argv = program.texts(["sh", "-c", '[ "$0 $1 $A" = "x y=ü 1" ] || exit 9', "x", "y=ü"]);
    program.call("execve", [program.text("/bin/sh"), argv, program.texts(["A=1"])], unexpected);
    expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 0 } });
  });

  test("bytes and reserved memory are aligned, apart, and copies", () => {
    using program = new LaunchProgram();
    const data = Uint8Array.of(1, 2, 3);
    program.text("abc");
    const first = program.bytes(data);
    const second = program.reserve(5);
    expect(first % 8).toBe(0);
    expect(second.address % 8).toBe(0);
    expect(second.address + 5).toBeLessThanOrEqual(first);
    expect(second.buffer.length).toBe(5);
    expect([...second.buffer]).toEqual([0, 0, 0, 0, 0]);
  });

  test("says when it is full, whatever fills it", () => {
    using program = new LaunchProgram(4096);
    expect(() => program.reserve(4096)).toThrow("launch program exceeds its arena of 4096 bytes");
    expect(() => {
      for (let count = 0; count < 64; count++) exit(program, 0);
    }).toThrow("launch program exceeds its arena");
    using second = new LaunchProgram(4096);
    second.reserve(3500);
    exit(second, 0);
    expect(() => exit(second, 0)).toThrow("launch program exceeds its arena");
  });

  test("is not used after its end", () => {
    const program = new LaunchProgram();
    const slot = program.slot("slot");
    program[Symbol.dispose]();
    program[Symbol.dispose]();
    expect(() => program.read(slot)).toThrow("disposed");
    expect(() => program.text("x")).toThrow("disposed");
  });
});

describe("mistakes in building", () => {
  test("the last operation must not fall through", () => {
    using program = new LaunchProgram();
    const prepare = () => program.prepare(2);
    expect(prepare).toThrow("must not fall through");
    program.call("getpid", [], unexpected);
    expect(prepare).toThrow("must not fall through");
    const execute = [program.text("/bin/true"), program.texts([]), program.texts([])];
    program.call("execve", execute, unexpected, { ignore: "any" });
    expect(prepare).toThrow("must not fall through");
    program.call("execve", execute, unexpected);
    prepare();
    program.place(program.label("end"));
    expect(prepare).toThrow("label end stands after the last operation");
  });

  test("labels are placed once and not forgotten", () => {
    using program = new LaunchProgram();
    const label = program.label("somewhere");
    program.jump(label);
    expect(() => program.prepare(2)).toThrow("label somewhere was never placed");
    program.place(label);
    expect(() => program.place(label)).toThrow("label somewhere placed twice");
  });

  test("slots run out with a message, and a released one is given again", () => {
    using program = new LaunchProgram();
    const slots = Array.from({ length: 62 }, (_, index) => program.slot(`slot ${index}`));
    expect(() => program.slot("last straw")).toThrow("no slot left for last straw");
    const [first] = slots;
    if (first === undefined) throw new Error("no slots");
    program.release(first);
    expect(() => program.release(first)).toThrow("released before");
    expect(program.slot("again").index).toBe(first.index);
  });

  test("a slot that is released by one of two processes is not given to the other", () => {
    using program = new LaunchProgram();
    const before = program.slot("before");
    program.release(before);
    const indexes: number[] = [];
    program.apart(() => {
      const apart = program.slot("apart");
      program.release(apart);
      indexes.push(apart.index, program.slot("apart again").index);
    });
    indexes.push(program.slot("after").index, program.slot("after too").index);
    expect(indexes).toEqual([before.index + 1, before.index + 1, before.index, before.index + 2]);
  });

  test("arguments that the encoding cannot hold are refused", () => {
    using program = new LaunchProgram();
    const what = { operation: "seek", object: "file" };
    expect(() => program.call("lseek", [0, 1.5], what)).toThrow("seek file: 1.5 is not an integer");
    expect(() => program.call("lseek", [0, 2 ** 53], what)).toThrow("is not an integer that 53 bits can hold");
    expect(() => program.call("lseek", [0, 0, 0, 0, 0, 0, 0], what)).toThrow("too many arguments");
    expect(() => program.call("lseek", [], what, { ignore: [1, 2, 3] })).toThrow("at most two errnos");
  });
});

describe("forEach", () => {
  test("does the same for each row, and its errors name the row's object", () => {
    using program = new LaunchProgram();
    const total = program.slot("total");
    program.forEach(
      ["left", "right"],
      [
        [1, 10],
        [2, 20],
        [3, 30],
      ],
      (left, right) => {
        program.add(total, total, left);
        program.add(total, total, right);
      },
    );
    const rows = ["/", "/no/such/directory"].map((path) => [program.text(path)] as const);
    program.forEach(["path"], rows, (path) => {
      program.call("chdir", [path], { operation: "change to", objectSlot: path.index });
    });
    program.call("exit_group", [0], { operation: "leave" });
    const child = launch(program, { flags: 0 });
    const failure = readFailure(child, program);
    waitForExit(child.pid);
    child.pidfd.close();
    child.errors.close();
    expect(program.read(total)).toBe(66);
    expect(failure?.message).toBe("change to /no/such/directory: ENOENT");
  });

  test("does nothing for no rows", () => {
    using program = new LaunchProgram();
    program.forEach(["value"], [], () => {
      throw new Error("called");
    });
    expect(program.operations).toEqual([]);
  });
});

describe("a child with its parent's memory", () => {
  test("runs beside it and changes that memory", () => {
    using program = new LaunchProgram();
    const [readEnd, writeEnd] = pipe();
    const own = allocate(8);
    program.call("read", [readEnd.number, own.address, 1], { operation: "wait" });
    program.store64(7, own.address);
    program.call("exit_group", [3], { operation: "leave" });
    const launched = launch(program, { flags: CloneFlag.VM });
    // It waits for us, and so we do not wait for it.
    expect(own.view.getInt32(0, true)).toBe(0);
    writeSync(writeEnd.number, "x");
    expect(waitForExit(launched.pid)).toEqual({ exitCode: 3 });
    expect(own.view.getInt32(0, true)).toBe(7);
    for (const end of [readEnd, writeEnd, launched.pidfd, launched.errors]) end.close();
  });

  test("goes on when the program is disposed, if it is kept", () => {
    const [readEnd, writeEnd] = pipe();
    using program = new LaunchProgram();
    const byte = program.reserve(8);
    program.call("read", [readEnd.number, byte.address, 1], { operation: "wait" });
    program.call("exit_group", [3], { operation: "leave" });
    program.keep();
    const launched = launch(program, { flags: CloneFlag.VM });
    program[Symbol.dispose]();
    writeSync(writeEnd.number, "x");
    expect(waitForExit(launched.pid)).toEqual({ exitCode: 3 });
    for (const end of [readEnd, writeEnd, launched.pidfd, launched.errors]) end.close();
  });

  test("fails on a stack of its own", () => {
    for (let round = 0; round < 200; round++) {
      using program = new LaunchProgram(4096);
      program.call("execve", [program.text(`/no/such/${round}`), 0, 0], { operation: "execute", object: `${round}` });
      const { failure, end } = runProgram(program, { flags: CloneFlag.VM });
      expect(failure?.message).toBe(`execute ${round}: ENOENT`);
      expect(end).toEqual({ exitCode: 127 });
    }
  });
});

describe("a program that is finished while its child waits", () => {
  test("executes what was added after the launch", () => {
    using program = new LaunchProgram();
    const [readEnd, writeEnd] = pipe();
    const buffer = program.reserve(8);
    const result = program.slot("result");
    program.call("read", [readEnd.number, buffer.address, 1], { operation: "wait" });
    program.waitForRest();
    const child = launch(program, { flags: 0 });
    program.set(result, 42);
    program.call("exit_group", [7], { operation: "leave" });
    program.finish();
    writeSync(writeEnd.number, ".");
    expect(readFailure(child, program)).toBeUndefined();
    expect(waitForExit(child.pid)).toEqual({ exitCode: 7 });
    expect(program.read(result)).toBe(42);
    for (const end of [readEnd, writeEnd, child.pidfd, child.errors]) end.close();
  });

  test("can be handed over in parts, each with the subroutines that it calls", () => {
    using program = new LaunchProgram();
    const [readEnd, writeEnd] = pipe();
    const [progressEnd, tellingEnd] = pipe();
    const buffer = program.reserve(8);
    const sum = program.slot("sum");
    const add = program.subroutine("add", () => program.add(sum, sum, 1));
    const wait = () => program.call("read", [readEnd.number, buffer.address, 1], { operation: "wait" });
    wait();
    program.waitForRest();
    const child = launch(program, { flags: 0 });
    program.callSubroutine(add);
    program.callSubroutine(add);
    program.placeSubroutines();
    program.call("write", [tellingEnd.number, program.text("."), 1], { operation: "tell" });
    wait();
    program.extend();
    writeSync(writeEnd.number, ".");
    expect(readSync(progressEnd.number, new Uint8Array(1))).toBe(1);
    expect(program.read(sum)).toBe(2);
    program.callSubroutine(add);
    program.placeSubroutines();
    program.call("execve", [program.text("/no/such"), 0, 0], { operation: "execute" });
    program.finish();
    writeSync(writeEnd.number, ".");
    // Failures are found by their place in the whole.
    expect(readFailure(child, program)?.message).toBe("execute: ENOENT");
    expect(waitForExit(child.pid)).toEqual({ exitCode: 127 });
    expect(program.read(sum)).toBe(3);
    for (const end of [readEnd, writeEnd, progressEnd, tellingEnd, child.pidfd, child.errors]) end.close();
  });
});

test("children are waited for also when SIGCHLD was ignored by whoever started us", async () => {
  const script = `
    import { launch, readFailure } from "${import.meta.dir}/../../../src/launch/launch.ts";
    import { LaunchProgram } from "${import.meta.dir}/../../../src/launch/program.ts";
    import { waitForExit } from "${import.meta.dir}/../../../src/sys/process.ts";
    const program = new LaunchProgram();
    program.call("exit_group", [3], { operation: "leave" });
    const child = launch(program, { flags: 0 });
    readFailure(child, program);
    console.log(JSON.stringify(waitForExit(child.pid)));`;
  const ignoring = ["env", "--ignore-signal=CHLD", process.execPath, "-e", script];
  const child = Bun.spawn(ignoring, { stdout: "pipe", stderr: "inherit" });
  expect(await new Response(child.stdout).text()).toBe('{"exitCode":3}\n');
});
