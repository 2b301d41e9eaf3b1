import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, readlinkSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { errorFromFailureRecord, FAILURE_RECORD_SIZE } from "../../../src/launch/failure.ts";
import { failureTableSchema } from "../../../src/launch/failure-table-schema.ts";
import { launch, launchReportingTo, readFailure } from "../../../src/launch/launch.ts";
import { LaunchProgram } from "../../../src/launch/program.ts";
import { resetSignals } from "../../../src/launch/reset-signals.ts";
import { CloneFlag } from "../../../src/sys/clone.ts";
import { Errno } from "../../../src/sys/errno.ts";
import { waitForExit } from "../../../src/sys/process.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { SIG_SETMASK } from "../../../src/sys/signal-set.ts";
import { descriptorsLeftBy } from "../../open-descriptors.ts";
import { runProgram, unexpected } from "./run-program.ts";

/** Adds the execution of a shell command. */
function shell(program: LaunchProgram, command: string): void {
  const argv = program.texts(["sh", "-c", command]);
  program.call("execve", [program.text("/bin/sh"), argv, program.texts([])], unexpected);
}

/** Adds exit_group(status). */
function exit(program: LaunchProgram, status: number): void {
  program.call("exit_group", [status], { operation: "exit" });
}

describe("launch", () => {
  test("makes a child that is waited for by pid and seen through its pidfd", () => {
    using program = new LaunchProgram();
    const pid = program.slot("pid");
    program.call("getpid", [], unexpected, { result: pid });
    shell(program, "kill -9 $$");
    const child = launch(program, { flags: 0 });
    using _errors = child.errors;
    using pidfd = child.pidfd;
    expect(readFileSync(`/proc/self/fdinfo/${pidfd.number}`, "utf8")).toContain(`Pid:\t${child.pid}\n`);
    expect(readFailure(child, program)).toBeUndefined();
    expect(waitForExit(child.pid)).toEqual({ signal: Signal.SIGKILL });
    expect(program.read(pid)).toBe(child.pid);
  });

  test("a failing clone is an error and leaves no descriptor", () => {
    using program = new LaunchProgram();
    exit(program, 0);
    const left = descriptorsLeftBy(() => {
      // A user namespace cannot share the file system attributes with its parent.
      expect(() => launch(program, { flags: CloneFlag.NEWUSER | CloneFlag.FS })).toThrow("clone a process: EINVAL");
      expect(() => launch(program, { flags: 0, cgroup: 9999 })).toThrow("clone a process: EBADF");
    });
    expect(left).toBe(0);
  });

  test("leaves no descriptor behind in the caller", () => {
    using program = new LaunchProgram();
    exit(program, 0);
    const left = descriptorsLeftBy(() => {
      expect(runProgram(program).end).toEqual({ exitCode: 0 });
    });
    expect(left).toBe(0);
  });

  test("the executed program gets no descriptor of the launch", () => {
    const list = join(directory, "descriptors");
    using program = new LaunchProgram();
    shell(program, `ls -l /proc/$$/fd > ${list}; exit 0`);
    const child = launch(program, { flags: 0 });
    using errors = child.errors;
    using _pidfd = child.pidfd;
    const pipe = readlinkSync(`/proc/self/fd/${errors.number}`);
    expect(readFailure(child, program)).toBeUndefined();
    expect(waitForExit(child.pid)).toEqual({ exitCode: 0 });
    const inherited = readFileSync(list, "utf8");
    expect(inherited).toContain(" 0 -> ");
    expect(pipe).toStartWith("pipe:");
    expect(inherited).not.toContain(pipe);
    expect(inherited).not.toContain("pidfd");
  });

  test("the child has its own copy of everything but the program", () => {
    using program = new LaunchProgram();
    const where = process.cwd();
    program.call("chdir", [program.text("/")], unexpected);
    exit(program, 0);
    expect(runProgram(program).failure).toBeUndefined();
    expect(process.cwd()).toBe(where);
  });

  test("the parent and the running child can talk through a pipe and the arena", () => {
    using program = new LaunchProgram();
    const seen = program.slot("seen");
    const message = program.reserve(8);
    const fifo = join(directory, "go");
    Bun.spawnSync(["mkfifo", fifo]);
    const go = openSync(fifo, "r+");
    try {
      program.call("read", [go, message.address, 1], unexpected);
      program.load32(seen, message.address, 4);
      exit(program, 0);
      const child = launch(program, { flags: 0 });
      using _errors = child.errors;
      using _pidfd = child.pidfd;
      message.view.setInt32(4, 4711, true);
      writeSync(go, "x");
      expect(readFailure(child, program)).toBeUndefined();
      waitForExit(child.pid);
      expect(program.read(seen)).toBe(4711);
    } finally {
      closeSync(go);
    }
  });

  test("the end of the errors waits for a forked process until that executes something", () => {
    using program = new LaunchProgram();
    const late = program.label("late");
    program.fork(unexpected, { child: late, flags: CloneFlag.PARENT });
    exit(program, 0);
    program.place(late);
    const orphan = program.slot("orphan");
    program.call("getpid", [], unexpected, { result: orphan });
    program.call("execve", [program.text("/no/such"), 0, 0], { operation: "execute", object: "/no/such" });
    const { failure, end } = runProgram(program);
    expect(failure?.message).toBe("execute /no/such: ENOENT");
    expect(end).toEqual({ exitCode: 0 });
    expect(waitForExit(program.read(orphan))).toEqual({ exitCode: 127 });
  });

  test("CLONE_PARENT makes a sibling of the caller", () => {
    const script = join(import.meta.dir, "fixtures/launch-sibling.ts");
    const { stdout, stderr } = Bun.spawnSync([process.execPath, script]);
    expect(stderr.toString()).toBe("");
    const { pid, parent } = JSON.parse(stdout.toString());
    expect(parent).toBe(process.pid);
    expect(waitForExit(pid)).toEqual({ exitCode: 5 });
  });

  test("the exit signal can be none", () => {
    using program = new LaunchProgram();
    exit(program, 6);
    expect(runProgram(program, { flags: 0, exitSignal: 0 }).end).toEqual({ exitCode: 6 });
  });
});

describe("reporting to a descriptor of the caller", () => {
  test("another process can read the failure later, with the table from a file", () => {
    using program = new LaunchProgram();
    program.call("getpid", [], unexpected);
    program.call("chdir", [program.text("/no/such")], { operation: "enter", object: "/no/such", exitStatus: 126 });
    exit(program, 0);
    const fifo = join(directory, "errors");
    Bun.spawnSync(["mkfifo", fifo]);
    const descriptor = openSync(fifo, "r+");
    try {
      const child = launchReportingTo(descriptor, program, { flags: 0 });
      child.pidfd.close();
      expect(waitForExit(child.pid)).toEqual({ exitCode: 127 });
      const saved = JSON.stringify(program.failureTable());
      const record = Buffer.alloc(64);
      expect(readSync(descriptor, record)).toBe(FAILURE_RECORD_SIZE);
      const error = errorFromFailureRecord(record, v.parse(failureTableSchema, JSON.parse(saved)));
      expect(error).toMatchObject({ message: "enter /no/such: ENOENT", errno: Errno.ENOENT, exitStatus: 126 });
    } finally {
      closeSync(descriptor);
    }
  });

  test("the table has the operations that can fail, by index", () => {
    using program = new LaunchProgram();
    program.set(program.slot("slot"), 1);
    program.call("getpid", [], { operation: "ask", hint: "no" });
    exit(program, 0);
    expect(program.failureTable()).toEqual([
      { index: 1, operation: "ask", hint: "no" },
      { index: 2, operation: "exit" },
    ]);
  });

  test("a record of an unknown operation still makes an error", () => {
    const record = Buffer.alloc(FAILURE_RECORD_SIZE);
    record.writeUInt32LE(8 + 5, 0);
    record.writeInt32LE(Errno.EIO, 4);
    expect(errorFromFailureRecord(record, []).message).toBe("execute operation 5 of the launch program: EIO");
  });
});

describe("signals", () => {
  /** The lines of /proc/self/status about signals, of a program that is executed at the end. */
  function signalsAfter(build: (program: LaunchProgram) => void): string[] {
    using program = new LaunchProgram();
    const file = join(directory, "status");
    build(program);
    shell(program, `while read line; do echo "$line"; done < /proc/self/status > ${file}`);
    expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 0 } });
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.filter((line) => /^Sig(Blk|Ign)/.test(line));
  }

  test("are all at their default and none blocked after resetSignals", () => {
    const block = (program: LaunchProgram) => {
      const all = program.bytes(Buffer.alloc(8, 0xff));
      program.call("rt_sigprocmask", [SIG_SETMASK, all, 0, 8], unexpected);
      const ignore = program.bytes(Buffer.from([1, ...Buffer.alloc(31)]));
      for (const signal of [1, Signal.SIGPIPE, 64]) {
        program.call("rt_sigaction", [signal, ignore, 0, 8], unexpected);
      }
    };
    const [blocked, ignored] = signalsAfter(block);
    expect(blocked).toBe("SigBlk:\tfffffffffffbfeff");
    // Bun ignores more than these.
    expect(Number(`0x${ignored?.slice(-4)}`) & 0x1001).toBe(0x1001);
    expect(ignored).toStartWith("SigIgn:\t8");
    const reset = signalsAfter((program) => {
      block(program);
      resetSignals(program);
    });
    expect(reset).toEqual(["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"]);
  });

  test("those with handlers are reset by the clone itself", () => {
    // Bun has handlers; in the child every one of them must be gone before the first operation.
    using program = new LaunchProgram();
    const action = program.reserve(64 * 32);
    for (let signal = 1; signal <= 64; signal++) {
      program.call("rt_sigaction", [signal, 0, action.address + 32 * (signal - 1), 8], unexpected);
    }
    exit(program, 0);
    expect(runProgram(program).failure).toBeUndefined();
    for (let index = 0; index < 64; index++) {
      expect(action.view.getBigUint64(32 * index, true)).toBeLessThanOrEqual(1n);
    }
  });
});

test("an ordinary user launches into new namespaces", () => {
  const user = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const script = join(import.meta.dir, "fixtures/launch-in-namespaces.ts");
  const { stdout, stderr, exitCode } = Bun.spawnSync([...user, process.execPath, script]);
  expect(stderr.toString()).toBe("");
  expect(JSON.parse(stdout.toString())).toEqual({
    pid: 1,
    uid: 0,
    hostName: "inside",
    failure: "mount proc on /no/such: ENOENT",
    end: { exitCode: 127 },
  });
  expect(exitCode).toBe(0);
});

test("describe shows the program", () => {
  using program = new LaunchProgram();
  const [count, child, again] = [program.slot("count"), program.slot("child"), program.label("again")];
  const [inChild, end] = [program.label("in child"), program.label("end")];
  program.set(count, 0);
  program.place(again);
  program.add(count, count, 1, 3);
  program.call("read", [0, program.addressOf(count), 8], { operation: "wait" }, { result: count, onSuccess: end });
  program.call("mount", [program.text("proc"), program.text('/a "b"'), 0, -1], unexpected, {
    ignore: [Errno.EBUSY, Errno.EPERM],
    onIgnored: again,
  });
  program.call("getpid", [], unexpected, { ignore: "any" });
  program.branch(count, "less", 4, again);
  program.branch(count, "equal", child, again);
  program.branch(count, "not equal", 4, again);
  program.load32(count, program.reserve(16).address, 4);
  program.store64(count, child);
  program.fork({ operation: "fork" }, { child: inChild, flags: 17, result: child });
  program.jump(again);
  program.place(inChild);
  program.place(end);
  program.fail({ operation: "run hook", object: "/hook" }, count);
  program.fail({ operation: "run hook", object: "/hook" }, Errno.EIO);
  program.call("execve", [program.text("/x"), program.texts(["/x", "-a"]), 0], { operation: "execute", object: "/x" });
  expect(program.describe().split("\n")).toEqual([
    "  0 count = 0",
    "  1 again: count = count + (1 << 3)",
    "  2 read(0, &count, 8) = count -> end  # wait",
    '  3 mount("proc", "/a \\"b\\"", 0, -1), ignores EBUSY and EPERM -> again  # fail unexpectedly',
    "  4 getpid(), ignores any error  # fail unexpectedly",
    "  5 if count < 4 -> again",
    "  6 if count == child -> again",
    "  7 if count != 4 -> again",
    "  8 count = load32(memory[16] + 4)",
    "  9 store64(child, count)",
    " 10 fork(17) = child, child -> in child  # fork",
    " 11 jump -> again",
    " 12 in child: end: fail count  # run hook /hook",
    " 13 fail EIO  # run hook /hook",
    ' 14 execve("/x", ["/x", "-a"], 0)  # execute /x',
    "",
  ]);
});

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "launch-"));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});
