import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../../src/launch/launch.ts";
import { LaunchProgram } from "../../../src/launch/program.ts";
import { acceptConnection } from "../../../src/sys/accept-connection.ts";
import { BusyPoll } from "../../../src/sys/busy-poll.ts";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { allocate } from "../../../src/sys/memory.ts";
import { connectForMessages, listenForMessages } from "../../../src/sys/message-socket.ts";
import { waitForExit } from "../../../src/sys/process.ts";
import { Event, openProcess, Reactor, Timer } from "../../../src/sys/reactor.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { pipe } from "../../../src/sys/socket.ts";
import { check, SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { withDescriptorsBelow } from "../../descriptor-limit.ts";
import { unexpected } from "../launch/run-program.ts";

let cleanup: DisposableStack;
let reactor: Reactor;

beforeEach(() => {
  cleanup = new DisposableStack();
  reactor = cleanup.use(new Reactor());
});
afterEach(() => cleanup.dispose());

/** A pipe that goes with the test. */
function testPipe(content = ""): { readonly read: FileDescriptor; readonly write: FileDescriptor } {
  const [read, write] = pipe();
  cleanup.use(read);
  cleanup.use(write);
  if (content !== "") writeSync(write.number, content);
  return { read, write };
}

function readByte(descriptor: number): string {
  const buffer = Buffer.alloc(1);
  return buffer.toString("latin1", 0, readSync(descriptor, buffer));
}

describe("Reactor", () => {
  test("returns at once when there is nothing to wait for", () => {
    reactor.run();
  });

  test.each([2 ** 31 - 1, 2 ** 32 - 1])("tells of events after %d registrations", (registrations) => {
    const late = cleanup.use(new Reactor(registrations));
    const { read } = testPipe("a");
    let seen = "";
    late.add(read.number, Event.IN, () => {
      seen = readByte(read.number);
      late.remove(read.number);
    });
    // What is not told would be waited for without end.
    late.defer(() => late.stop());
    late.run();
    expect(seen).toBe("a");
  });

  test("calls again while there is more, and with HUP at the end", () => {
    const { read, write } = testPipe("abc");
    write.close();
    const seen: [string, number][] = [];
    reactor.add(read.number, Event.IN, (events) => {
      const byte = readByte(read.number);
      seen.push([byte, events]);
      if (byte === "") reactor.remove(read.number);
    });
    reactor.run();
    const readable = Event.IN | Event.HUP;
    expect(seen).toEqual([
      ["a", readable],
      ["b", readable],
      ["c", readable],
      ["", Event.HUP],
    ]);
  });

  test("waits for room to write", () => {
    const { write } = testPipe();
    let seen = 0;
    reactor.add(write.number, Event.OUT, (events) => {
      seen = events;
      reactor.stop();
    });
    reactor.run();
    expect(seen).toBe(Event.OUT);
  });

  test("a paused descriptor is left alone until it is resumed", () => {
    const paused = testPipe("x");
    const { read } = testPipe("abc");
    const calls: string[] = [];
    reactor.add(paused.read.number, Event.IN, () => {
      calls.push("paused");
      reactor.stop();
    });
    reactor.change(paused.read.number, 0);
    reactor.add(read.number, Event.IN, () => {
      const byte = readByte(read.number);
      calls.push(byte);
      if (byte === "c") {
        reactor.change(read.number, 0);
        reactor.change(paused.read.number, Event.IN);
      }
    });
    reactor.run();
    expect(calls).toEqual(["a", "b", "c", "paused"]);
  });

  test("an event that was fetched for a descriptor removed meanwhile is dropped", () => {
    const pipes = [testPipe("x"), testPipe("x")] as const;
    let calls = 0;
    for (const { read } of pipes) {
      reactor.add(read.number, Event.IN, () => {
        calls++;
        for (const other of pipes) reactor.remove(other.read.number);
      });
    }
    reactor.run();
    expect(calls).toBe(1);
  });

  test("an event that was fetched for a number's former file does not reach the new one", () => {
    const pipes = [testPipe("x"), testPipe("x")] as const;
    const done = testPipe("x");
    let replaced = 0;
    const wrong: number[] = [];
    pipes.forEach(({ read }, index) => {
      reactor.add(read.number, Event.IN, () => {
        const { number } = pipes[1 - index]?.read ?? read;
        reactor.remove(read.number);
        reactor.remove(number);
        // The same number, another file: one that is not readable.
        check(systemCall(SystemCall.dup3, testPipe().read.number, number, 0), "replace a file descriptor");
        reactor.add(number, Event.IN, () => wrong.push(number));
        replaced++;
        reactor.add(done.read.number, Event.IN, () => reactor.stop());
      });
    });
    reactor.run();
    expect({ replaced, wrong }).toEqual({ replaced: 1, wrong: [] });
  });

  test("a callback may remove and close its own descriptor", () => {
    const { read } = testPipe("x");
    let calls = 0;
    reactor.add(read.number, Event.IN, () => {
      calls++;
      reactor.remove(read.number);
      read.close();
    });
    reactor.run();
    expect(calls).toBe(1);
  });

  test("what comes after a round comes after all its events, and before the next round", () => {
    const pipes = [testPipe("x"), testPipe("x")];
    const seen: string[] = [];
    for (const { read } of pipes) {
      reactor.add(read.number, Event.IN, () => {
        reactor.afterRound(() => {
          seen.push("after");
          reactor.remove(read.number);
        });
        seen.push(readByte(read.number));
      });
    }
    reactor.run();
    expect(seen).toEqual(["x", "x", "after", "after"]);
  });

  test("what comes after a round comes at once where there is none", () => {
    let calls = 0;
    const call = () => {
      calls++;
    };
    reactor.afterRound(call);
    expect(calls).toBe(1);
    const { read } = testPipe("x");
    reactor.add(read.number, Event.IN, () => {
      reactor.afterRound(() => reactor.afterRound(call));
      reactor.remove(read.number);
    });
    reactor.run();
    expect(calls).toBe(2);
  });

  test("can be run again when a callback has failed", () => {
    const { read } = testPipe("x");
    let calls = 0;
    const call = () => {
      calls++;
    };
    reactor.add(read.number, Event.IN, () => {
      reactor.afterRound(call);
      throw new Error("it failed");
    });
    expect(() => reactor.run()).toThrow("it failed");
    // There is no round now.
    reactor.afterRound(call);
    expect(calls).toBe(1);
    reactor.remove(read.number);
    reactor.defer(() => {});
    reactor.run();
    expect(calls).toBe(2);
  });

  test("sees every event where answers are expected", () => {
    reactor.busyPoll = new BusyPoll(() => performance.now());
    const { read, write } = testPipe("x");
    using timer = new Timer();
    let bytes = 0;
    reactor.add(read.number, Event.IN, () => {
      reactor.expectAnswer();
      readByte(read.number);
      if (++bytes === 1_000) reactor.stop();
      // Now and then the next one takes its time.
      else if (bytes % 100 === 0) timer.start(1);
      else writeSync(write.number, "x");
    });
    reactor.add(timer.descriptor.number, Event.IN, () => {
      timer.acknowledge();
      writeSync(write.number, "x");
    });
    reactor.run();
    expect(bytes).toBe(1_000);
  });

  test("stop lets the round end, and run can be called again", () => {
    const pipes = Array.from({ length: 3 }, () => testPipe("x"));
    let calls = 0;
    for (const { read } of pipes) {
      reactor.add(read.number, Event.IN, () => {
        calls++;
        reactor.stop();
      });
    }
    reactor.run();
    expect(calls).toBe(3);
    reactor.run();
    expect(calls).toBe(6);
  });

  test("handles more descriptors than one round takes, each in its turn", () => {
    const pipes = Array.from({ length: 150 }, () => testPipe("x"));
    const seen = new Set<number>();
    for (const { read } of pipes) {
      reactor.add(read.number, Event.IN, () => {
        seen.add(read.number);
        reactor.remove(read.number);
      });
    }
    reactor.run();
    expect(seen.size).toBe(150);
  });

  test("says that a regular file cannot be waited for", () => {
    const file = cleanup.use(new FileDescriptor(openSync(import.meta.path, "r")));
    expect(reactor.add(file.number, Event.IN, () => reactor.stop())).toBe(false);
    reactor.run();
  });

  test("refuses what is not open, and what it waits for already", () => {
    const { read } = testPipe();
    reactor.add(read.number, Event.IN, () => {});
    expect(() => reactor.add(read.number, Event.IN, () => {})).toThrow("EEXIST");
    reactor.remove(read.number);
    read.close();
    expect(() => reactor.add(1_000_000, Event.IN, () => {})).toThrow("wait for events of a file descriptor: EBADF");
    reactor.remove(1_000_000);
    reactor.change(1_000_000, Event.IN);
    reactor.run();
  });
});

test("openProcess: the descriptor becomes readable when the process ends", () => {
  const { read, write } = testPipe();
  using program = new LaunchProgram();
  program.call("close", [write.number], unexpected);
  program.call("read", [read.number, program.reserve(1).address, 1], unexpected);
  program.call("exit_group", [7], unexpected);
  const child = launch(program, { flags: 0 });
  cleanup.use(child.errors);
  cleanup.use(child.pidfd);
  const opened = cleanup.use(openProcess(child.pid));
  const { read: trigger } = testPipe("x");
  const order: string[] = [];
  reactor.add(opened.number, Event.IN, () => {
    order.push("ended");
    reactor.remove(opened.number);
  });
  reactor.add(trigger.number, Event.IN, () => {
    order.push("told to end");
    reactor.remove(trigger.number);
    write.close();
  });
  reactor.run();
  expect(order).toEqual(["told to end", "ended"]);
  expect(waitForExit(child.pid)).toEqual({ exitCode: 7 });
  expect(() => openProcess(child.pid)).toThrow(`open process ${child.pid}: ESRCH`);
});

describe("Timer", () => {
  test("expires once", () => {
    const timer = cleanup.use(new Timer());
    timer.start(1);
    const expirations: number[] = [];
    reactor.add(timer.descriptor.number, Event.IN, () => {
      expirations.push(timer.acknowledge());
      reactor.stop();
    });
    reactor.run();
    expect(expirations).toEqual([1]);
    expect(setting(timer)).toEqual({ interval: 0, remaining: 0 });
  });

  test("that is started anew in the round of its expiration does not make anybody wait", () => {
    const timer = cleanup.use(new Timer());
    timer.start(1);
    reactor.add(timer.descriptor.number, Event.IN, () => {
      timer.start(60_000);
      expect(timer.acknowledge()).toBe(0);
      reactor.stop();
    });
    reactor.run();
  });

  test("expires again and again", () => {
    const timer = cleanup.use(new Timer());
    timer.start(1, 1);
    let expirations = 0;
    reactor.add(timer.descriptor.number, Event.IN, () => {
      expirations += timer.acknowledge();
      if (expirations >= 3) reactor.stop();
    });
    reactor.run();
    expect(expirations).toBeGreaterThanOrEqual(3);
  });

  test.each([0.5, 1, 999.9999999, 1000, 1500.25, 86_400_000])("has an interval of %d ms", (milliseconds) => {
    const timer = cleanup.use(new Timer());
    timer.start(60_000, milliseconds);
    expect(setting(timer).interval).toBe(Math.round(milliseconds * 1e6));
    expect(setting(timer).remaining).toBeGreaterThan(0);
    timer.start(0);
    expect(setting(timer)).toEqual({ interval: 0, remaining: 0 });
  });

  /** What the kernel has, in nanoseconds; timerfd_gettime(2). */
  function setting({ descriptor }: Timer): { readonly interval: number; readonly remaining: number } {
    const { address, view } = allocate(32);
    check(systemCall(SystemCall.timerfd_gettime, descriptor.number, address), "read a timer's setting");
    const at = (offset: number) =>
      Number(view.getBigInt64(offset, true)) * 1e9 + Number(view.getBigInt64(offset + 8, true));
    return { interval: at(0), remaining: at(16) };
  }
});

test("a socket whose connections find no descriptors is left alone for a moment, and looked at again", () => {
  const directory = mkdtempSync(join(tmpdir(), "bunker-reactor-"));
  cleanup.defer(() => rmSync(directory, { recursive: true }));
  const place = cleanup.use(new FileDescriptor(openSync(directory, "r")));
  const listener = cleanup.use(listenForMessages(place.number, "socket"));
  cleanup.use(openConnection(place.number));
  let calls = 0;
  reactor.add(listener.number, Event.IN, () => {
    calls++;
    const connection = acceptConnection(reactor, listener.number);
    if (connection === undefined) return;
    cleanup.use(connection);
    reactor.stop();
  });
  const round = () => {
    reactor.defer(() => reactor.stop());
    reactor.run();
  };
  withDescriptorsBelow(3, () => {
    for (let count = 0; count < 10; count++) round();
  });
  expect(calls).toBeLessThan(10);
  const before = calls;
  reactor.run();
  expect(calls).toBe(before + 1);
  // One that has been removed meanwhile is not waited for again.
  cleanup.use(openConnection(place.number));
  withDescriptorsBelow(3, round);
  expect(calls).toBe(before + 2);
  reactor.remove(listener.number);
  using timer = new Timer();
  timer.start(100);
  reactor.add(timer.descriptor.number, Event.IN, () => {
    reactor.remove(timer.descriptor.number);
    reactor.stop();
  });
  reactor.run();
  expect(calls).toBe(before + 2);
});

function openConnection(directory: number): FileDescriptor {
  const connection = connectForMessages(directory, "socket");
  if (typeof connection === "number") throw new Error(`errno ${-connection}`);
  return connection;
}

test("SignalDescriptor: signals of a process that was started with them blocked", () => {
  const output = testPipe();
  using program = new LaunchProgram();
  const mask = Buffer.alloc(8);
  mask.writeBigUInt64LE((1n << BigInt(Signal.SIGUSR1 - 1)) | (1n << BigInt(Signal.SIGTERM - 1)));
  const SIG_BLOCK = 0;
  const script = `${import.meta.dir}/fixtures/receive-signals.ts`;
  program.call("dup3", [output.write.number, 1, 0], unexpected);
  program.call("rt_sigprocmask", [SIG_BLOCK, program.bytes(mask), 0, 8], unexpected);
  program.call(
    "execve",
    [
      program.text(process.execPath),
      program.texts(["bun", script]),
      program.texts(["BUN_RUNTIME_TRANSPILER_CACHE_PATH=0"]),
    ],
    unexpected,
  );
  const child = launch(program, { flags: 0 });
  cleanup.use(child.errors);
  cleanup.use(child.pidfd);
  output.write.close();
  const send = (signal: number) => systemCall(SystemCall.pidfd_send_signal, child.pidfd.number, signal, 0, 0);
  try {
    const line = () => {
      let text = "";
      for (let byte = readByte(output.read.number); byte !== "" && byte !== "\n"; byte = readByte(output.read.number)) {
        text += byte;
      }
      return text;
    };
    expect(line()).toBe("ready");
    send(Signal.SIGUSR1);
    expect(line()).toBe(`signal ${Signal.SIGUSR1}`);
    send(Signal.SIGTERM);
    expect(line()).toBe(`signal ${Signal.SIGTERM}`);
    expect(waitForExit(child.pid)).toEqual({ exitCode: 3 });
  } catch (error) {
    send(Signal.SIGKILL);
    waitForExit(child.pid);
    throw error;
  }
});
