import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDirectory } from "../../../src/image/layers/store-lock.ts";
import { CallQueue } from "../../../src/launch/call-queue.ts";
import { hostArchitecture } from "../../../src/sys/architecture.ts";
import type { ByteString } from "../../../src/sys/byte-string.ts";
import { Errno } from "../../../src/sys/errno.ts";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { OpenFlag } from "../../../src/sys/open.ts";
import { poll } from "../../../src/sys/poll.ts";
import { Event, openProcess } from "../../../src/sys/reactor.ts";
import { mapMemory, SystemCall } from "../../../src/sys/system-call.ts";
import { systemCallNumber } from "../../../src/sys/system-call-number.ts";

const CREATE = OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_EXCL | OpenFlag.O_CLOEXEC;
// Bunker itself does not make these.
const [getpid, fchdir] = (["getpid", "fchdir"] as const).map((call) => systemCallNumber(call, hostArchitecture())) as [
  number,
  number,
];
const name = (text: string) => text as ByteString;

/** A failure as the tests look at it. */
class Refused extends Error {
  readonly subject: string;
  readonly result: number;

  constructor(subject: string, result: number) {
    super(`${subject}: ${result}`);
    this.subject = subject;
    this.result = result;
  }
}

let directory = "";
let root: FileDescriptor;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-queue-"));
  root = openDirectory(directory);
});

afterEach(() => {
  root.close();
  rmSync(directory, { recursive: true });
});

function newQueue(): CallQueue<string> {
  return new CallQueue((subject, result) => new Refused(subject, result));
}

function failureOf(work: () => void): Refused {
  try {
    work();
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("a queue of system calls", () => {
  test("keeps what a variable holds while the child begins", () => {
    for (let time = 0; time < 200; time++) {
      using queue = newQueue();
      const variable = queue.slot("variable", 7);
      queue.call(getpid, [], "getpid");
      queue.drain();
      expect(queue.read(variable)).toBe(7);
    }
  });

  test("makes calls in order, with what earlier ones have resulted in", () => {
    using queue = newQueue();
    using data = mapMemory(4096, "private");
    data.buffer.write("content");
    const file = queue.slot("file", -1);
    queue.call(SystemCall.mkdirat, [root.number, queue.text(name("inner")), 0o750], "mkdir");
    queue.call(SystemCall.openat, [root.number, queue.text(name("inner/file")), CREATE, 0o640], "open", {
      result: file,
    });
    queue.writeAt(file, data.address, 7, 5, "write");
    const date = { seconds: 1_000_000_000, nanoseconds: 5 };
    queue.call(SystemCall.utimensat, [file, 0, queue.times(date, date), 0], "date");
    queue.drain();
    const content = readFileSync(`${directory}/inner/file`, "latin1");
    const { mode, mtimeMs } = statSync(`${directory}/inner/file`);
    // Descriptors are common to both.
    new FileDescriptor(queue.read(file)).close();
    expect({ content, mode: mode & 0o777, mtimeMs }).toEqual({
      content: "\0\0\0\0\0content",
      mode: 0o640,
      mtimeMs: 1_000_000_000_000,
    });
  });

  test("takes more than all batches hold, and waits meanwhile", () => {
    using queue = newQueue();
    const count = 10_000;
    using data = mapMemory(count, "private");
    for (let index = 0; index < count; index++) data.buffer[index] = index % 251;
    const file = queue.slot("file", -1);
    queue.call(SystemCall.openat, [root.number, queue.text(name("file")), CREATE, 0o600], "open", { result: file });
    for (let index = 0; index < count; index++) {
      queue.reserve(4, 0);
      queue.writeAt(file, data.address + index, 1, index, "write");
    }
    queue.drain();
    new FileDescriptor(queue.read(file)).close();
    expect(readFileSync(`${directory}/file`)).toEqual(Buffer.from(data.buffer));
  });

  test("tells what failed and with what, and makes none of the later calls", () => {
    const before = openFiles();
    {
      using queue = newQueue();
      const failure = failureOf(() => {
        queue.call(SystemCall.mkdirat, [root.number, queue.text(name("one")), 0o700], "first");
        queue.call(SystemCall.mkdirat, [root.number, queue.text(name("one")), 0o700], "second");
        queue.call(SystemCall.mkdirat, [root.number, queue.text(name("two")), 0o700], "third");
        queue.drain();
      });
      const later = failureOf(() => {
        queue.call(SystemCall.mkdirat, [root.number, queue.text(name("three")), 0o700], "fourth");
        queue.submit();
      });
      expect([failure.subject, failure.result, later]).toEqual(["second", -Errno.EEXIST, failure]);
    }
    expect([readdirSync(directory), openFiles()]).toEqual([["one"], before]);
  });

  test("finds the failing call in every batch", () => {
    for (let batches = 0; batches < 6; batches++) {
      using queue = newQueue();
      for (let batch = 0; batch < batches; batch++) {
        queue.call(getpid, [], "harmless");
        queue.submit();
      }
      queue.call(getpid, [], "harmless");
      queue.call(fchdir, [-1], `of ${batches}`);
      const { subject, result } = failureOf(() => queue.drain());
      expect([subject, result]).toEqual([`of ${batches}`, -Errno.EBADF]);
    }
  });

  test("goes on after an error that does not matter", () => {
    using queue = newQueue();
    queue.call(fchdir, [-1], "no directory", { ignoresErrors: true });
    queue.call(SystemCall.mkdirat, [root.number, queue.text(name("made")), 0o700], "mkdir");
    queue.drain();
    expect(readdirSync(directory)).toEqual(["made"]);
  });

  test("says why a full file system does not take all of a file", () => {
    using queue = newQueue();
    using data = mapMemory(8192, "private");
    const file = queue.slot("file", -1);
    queue.call(SystemCall.openat, [-1, queue.text(name("/dev/full")), OpenFlag.O_WRONLY], "open", { result: file });
    queue.writeAt(file, data.address, 8192, 0, "write");
    const failure = failureOf(() => queue.drain());
    new FileDescriptor(queue.read(file)).close();
    expect([failure.subject, failure.result]).toEqual(["write", -Errno.ENOSPC]);
  });

  test("executes what was submitted, and leaves nothing, when it is given up", () => {
    const before = openFiles();
    {
      using queue = newQueue();
      queue.call(SystemCall.mkdirat, [root.number, queue.text(name("submitted")), 0o700], "mkdir");
      queue.submit();
      queue.call(SystemCall.mkdirat, [root.number, queue.text(name("not submitted")), 0o700], "mkdir");
    }
    expect([readdirSync(directory), openFiles()]).toEqual([["submitted"], before]);
  });

  test("notices that its process was killed", () => {
    const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, "latin1").trim().split(" ");
    const before = children();
    using queue = newQueue();
    queue.call(getpid, [], "harmless");
    queue.drain();
    for (const child of children()) if (!before.includes(child)) process.kill(Number(child), "SIGKILL");
    queue.call(getpid, [], "harmless");
    expect(() => queue.drain()).toThrow("make queued system calls: the process was killed by signal 9");
  });

  test("leaves no process that holds descriptors when the caller is killed", async () => {
    const command = [process.execPath, join(import.meta.dir, "fixtures/waiting-queue.ts")];
    const caller = Bun.spawn(command, { stdout: "pipe" });
    const { value } = await caller.stdout.getReader().read();
    using child = openProcess(Number(Buffer.from(value ?? []).toString()));
    const hasEnded = (patience: number) => ((poll([child.number], patience)[0] ?? 0) & Event.IN) !== 0;
    const before = hasEnded(0);
    caller.kill("SIGKILL");
    await caller.exited;
    expect([before, hasEnded(60_000)]).toEqual([false, true]);
  }, 90_000);
});
