import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash, randomFillSync } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Errno } from "../../../src/sys/errno.ts";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { allocate } from "../../../src/sys/memory.ts";
import { OpenFlag } from "../../../src/sys/open.ts";
import { Pump, type PumpEnd } from "../../../src/sys/pump.ts";
import { Event, Reactor } from "../../../src/sys/reactor.ts";
import { pipe, socketPair } from "../../../src/sys/socket.ts";
import { check, SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { makeRaw } from "../../../src/sys/terminal.ts";
import { pseudoTerminal } from "./pseudo-terminal.ts";

const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const FIONREAD = 0x541b;
const endOfSource: PumpEnd = { sourceError: undefined, destinationError: undefined };

let cleanup: DisposableStack;
let reactor: Reactor;
let directory: string;

beforeEach(() => {
  cleanup = new DisposableStack();
  directory = mkdtempSync(join(tmpdir(), "pump-"));
  cleanup.defer(() => rmSync(directory, { recursive: true }));
  reactor = cleanup.use(new Reactor());
});
afterEach(() => cleanup.dispose());

function nonBlocking<Descriptor extends FileDescriptor>(descriptor: Descriptor): Descriptor {
  check(systemCall(SystemCall.fcntl, descriptor.number, F_SETFL, OpenFlag.O_NONBLOCK), "make non-blocking");
  return cleanup.use(descriptor);
}

/** A pipe whose ends do not block and go with the test. */
function testPipe(content: string | Uint8Array = ""): {
  readonly read: FileDescriptor;
  readonly write: FileDescriptor;
} {
  const [read, write] = pipe();
  nonBlocking(read);
  nonBlocking(write);
  const bytes = Buffer.from(content);
  if (bytes.length > 0) expect(writeSync(write.number, bytes)).toBe(bytes.length);
  return { read, write };
}

function testTerminal() {
  const terminal = pseudoTerminal(OpenFlag.O_NONBLOCK);
  cleanup.use(terminal.master);
  cleanup.use(terminal.peer);
  makeRaw(terminal.peer.number);
  return terminal;
}

function openFile(name: string, flags: string): FileDescriptor {
  return cleanup.use(new FileDescriptor(openSync(join(directory, name), flags)));
}

/** Bytes that no part of which is like another. */
function randomBytes(size: number): Buffer {
  return randomFillSync(Buffer.alloc(size));
}

/** All that a non-blocking descriptor has now. */
function readAvailable(descriptor: FileDescriptor): string {
  const buffer = Buffer.alloc(1 << 17);
  const memory = allocate(1 << 17);
  const count = systemCall(SystemCall.read, descriptor.number, memory.address, buffer.length);
  return count <= 0 ? "" : memory.buffer.toString("latin1", 0, count);
}

function unreadBytes(descriptor: FileDescriptor): number {
  const count = allocate(4);
  check(systemCall(SystemCall.ioctl, descriptor.number, FIONREAD, count.address), "count what can be read");
  return count.view.getInt32(0, true);
}

/** Runs one pump to its end. */
function pumpToEnd(source: FileDescriptor, destination: FileDescriptor, mayBlock = false): PumpEnd {
  const ends: PumpEnd[] = [];
  new Pump(reactor, { source: source.number, destination: destination.number, mayBlock }, (end) => ends.push(end));
  reactor.run();
  const [end] = ends;
  if (end === undefined || ends.length > 1) throw new Error(`the pump ended ${ends.length} times`);
  return end;
}

describe("between", () => {
  test("pipe and file", () => {
    const content = randomBytes(60_000);
    const { read, write } = testPipe(content);
    write.close();
    expect(pumpToEnd(read, openFile("copy", "w"))).toEqual(endOfSource);
    expect(readFileSync(join(directory, "copy")).equals(content)).toBe(true);
  });

  test("pipe and a file that is appended to", () => {
    writeFileSync(join(directory, "log"), "before\n");
    const { read, write } = testPipe("after\n");
    write.close();
    expect(pumpToEnd(read, openFile("log", "a"))).toEqual(endOfSource);
    expect(readFileSync(join(directory, "log"), "utf8")).toBe("before\nafter\n");
  });

  test("file and pipe", () => {
    writeFileSync(join(directory, "original"), "all of it");
    const { read, write } = testPipe();
    expect(pumpToEnd(openFile("original", "r"), write)).toEqual(endOfSource);
    expect(readAvailable(read)).toBe("all of it");
  });

  test("an empty file and a pipe", () => {
    const { read, write } = testPipe();
    writeFileSync(join(directory, "empty"), "");
    expect(pumpToEnd(openFile("empty", "r"), write)).toEqual(endOfSource);
    expect(unreadBytes(read)).toBe(0);
  });

  test("/dev/null and a pipe", () => {
    const source = cleanup.use(new FileDescriptor(openSync("/dev/null", "r")));
    expect(pumpToEnd(source, testPipe().write)).toEqual(endOfSource);
  });

  test("two pipes", () => {
    const from = testPipe("through");
    const to = testPipe();
    from.write.close();
    expect(pumpToEnd(from.read, to.write)).toEqual(endOfSource);
    expect(readAvailable(to.read)).toBe("through");
  });

  test("two sockets", () => {
    const [near, source] = socketPair();
    const [destination, far] = socketPair();
    for (const socket of [near, source, destination, far]) nonBlocking(socket);
    const content = randomBytes(50_000).toString("latin1");
    writeSync(near.number, content, null, "latin1");
    near.close();
    expect(pumpToEnd(source, destination)).toEqual(endOfSource);
    let received = "";
    for (let part = readAvailable(far); part !== ""; part = readAvailable(far)) received += part;
    expect(received).toBe(content);
  });

  test.each(["master", "peer"] as const)("a pipe and a terminal's %s, in both directions at once", (side) => {
    const terminal = testTerminal();
    const near = terminal[side];
    const far = terminal[side === "master" ? "peer" : "master"];
    // More than a terminal holds, both ways, so that both pumps have to wait.
    const [content, answer] = [randomBytes(60_000).toString("latin1"), randomBytes(60_000).toString("latin1")];
    const input = testPipe(Buffer.from(content, "latin1"));
    const output = testPipe();
    const duplicateNear = nonBlocking(new FileDescriptor(check(systemCall(SystemCall.dup, near.number), "duplicate")));
    const duplicateFar = nonBlocking(new FileDescriptor(check(systemCall(SystemCall.dup, far.number), "duplicate")));
    new Pump(reactor, { source: input.read.number, destination: near.number }, () => {
      throw new Error("the input ended");
    });
    new Pump(reactor, { source: duplicateNear.number, destination: output.write.number }, () => {
      throw new Error("the terminal ended");
    });
    let [received, answered, sent] = ["", "", 0];
    const stopWhenDone = () => {
      if (received.length >= content.length && answered.length >= answer.length) reactor.stop();
    };
    reactor.add(far.number, Event.IN, () => {
      received += readAvailable(far);
      stopWhenDone();
    });
    reactor.add(duplicateFar.number, Event.OUT, () => {
      sent += writeSync(far.number, Buffer.from(answer, "latin1"), sent, Math.min(1000, answer.length - sent));
      if (sent === answer.length) reactor.remove(duplicateFar.number);
    });
    reactor.add(output.read.number, Event.IN, () => {
      answered += readAvailable(output.read);
      stopWhenDone();
    });
    reactor.run();
    expect(received === content).toBe(true);
    expect(answered === answer).toBe(true);
  });
});

test("50 MB, byte for byte, by two pumps at once", () => {
  const chunk = randomBytes(1 << 20);
  const expected = createHash("sha256");
  const original = openFile("original", "w");
  for (let number = 0; number < 50; number++) {
    chunk.writeUInt32LE(number);
    expected.update(chunk);
    writeSync(original.number, chunk);
  }
  const { read, write } = testPipe();
  const ends: PumpEnd[] = [];
  new Pump(reactor, { source: openFile("original", "r").number, destination: write.number }, (end) => {
    ends.push(end);
    write.close();
  });
  const sides = { source: read.number, destination: openFile("copy", "w").number };
  new Pump(reactor, sides, (end) => ends.push(end));
  reactor.run();
  expect(ends).toEqual([endOfSource, endOfSource]);
  expect(statSync(join(directory, "copy")).size).toBe(50 << 20);
  const copied = createHash("sha256");
  using copy = new FileDescriptor(openSync(join(directory, "copy"), "r"));
  for (let count = readSync(copy.number, chunk); count > 0; count = readSync(copy.number, chunk)) {
    copied.update(chunk.subarray(0, count));
  }
  expect(copied.digest("hex")).toBe(expected.digest("hex"));
});

test("a full destination leaves the source alone until there is room", () => {
  const content = randomBytes(60_000);
  const from = testPipe(content);
  from.write.close();
  const to = testPipe();
  check(systemCall(SystemCall.fcntl, to.write.number, F_SETPIPE_SZ, 4096), "make a pipe small");
  const seen: number[] = [];
  let received = "";
  let end: PumpEnd | undefined;
  reactor.add(to.read.number, Event.IN, () => {
    seen.push(unreadBytes(from.read));
    received += readAvailable(to.read);
    if (received.length === content.length) reactor.remove(to.read.number);
  });
  new Pump(reactor, { source: from.read.number, destination: to.write.number }, (result) => {
    end = result;
  });
  reactor.run();
  expect(end).toEqual(endOfSource);
  expect(Buffer.from(received, "latin1").equals(content)).toBe(true);
  // When it was read for the first time, the destination had what it could hold and no more had been taken.
  expect(seen[0]).toBeGreaterThanOrEqual(60_000 - 4096);
  expect(seen.toSorted((one, other) => other - one)).toEqual(seen);
});

describe("ends with an error of", () => {
  test("a destination pipe that nobody reads", () => {
    const from = testPipe("lost");
    const to = testPipe();
    to.read.close();
    expect(pumpToEnd(from.read, to.write)).toEqual({ sourceError: undefined, destinationError: Errno.EPIPE });
  });

  test("a destination whose reader leaves while it is full", () => {
    const from = testPipe(randomBytes(60_000));
    const to = testPipe();
    check(systemCall(SystemCall.fcntl, to.write.number, F_SETPIPE_SZ, 4096), "make a pipe small");
    reactor.add(to.read.number, Event.IN, () => {
      reactor.remove(to.read.number);
      to.read.close();
    });
    expect(pumpToEnd(from.read, to.write)).toEqual({ sourceError: undefined, destinationError: Errno.EPIPE });
  });

  test("a destination socket that was closed", () => {
    const [destination, far] = socketPair();
    nonBlocking(destination);
    far.close();
    const end = pumpToEnd(testPipe("lost").read, destination);
    expect(end).toEqual({ sourceError: undefined, destinationError: Errno.EPIPE });
  });

  test("a destination without room", () => {
    const full = cleanup.use(new FileDescriptor(openSync("/dev/full", "w")));
    const end = pumpToEnd(testPipe("lost").read, full);
    expect(end).toEqual({ sourceError: undefined, destinationError: Errno.ENOSPC });
  });

  test("a terminal whose other side was closed, after what it still had", () => {
    const { master, peer } = testTerminal();
    writeSync(peer.number, "last words");
    peer.close();
    const to = testPipe();
    expect(pumpToEnd(master, to.write)).toEqual({ sourceError: Errno.EIO, destinationError: undefined });
    expect(readAvailable(to.read)).toBe("last words");
  });

  test("a source that cannot be read", () => {
    const source = openFile("write-only", "w");
    expect(pumpToEnd(source, testPipe().write)).toEqual({ sourceError: Errno.EBADF, destinationError: undefined });
  });
});

test("a blocking source is read only when it has something", () => {
  const { master, peer } = pseudoTerminal();
  cleanup.use(master);
  cleanup.use(peer);
  makeRaw(peer.number);
  writeSync(master.number, "one");
  const to = testPipe();
  const received: string[] = [];
  // Were the terminal read once more than it has something, this would wait for ever.
  reactor.add(to.read.number, Event.IN, () => {
    received.push(readAvailable(to.read));
    if (received.length === 1) writeSync(master.number, "two");
    else reactor.stop();
  });
  new Pump(reactor, { source: peer.number, destination: to.write.number, mayBlock: true }, () => {});
  reactor.run();
  expect(received).toEqual(["one", "two"]);
});

test("finish copies what is there, without waiting and without an end", () => {
  const from = testPipe("here");
  const to = testPipe();
  const pump = new Pump(reactor, { source: from.read.number, destination: to.write.number }, () => {
    throw new Error("ended");
  });
  pump.finish();
  expect(readAvailable(to.read)).toBe("here");
  // Nothing is waited for any more.
  reactor.run();
});

test("stop leaves the rest where it is", () => {
  const from = testPipe("here");
  const to = testPipe();
  const pump = new Pump(reactor, { source: from.read.number, destination: to.write.number }, () => {
    throw new Error("ended");
  });
  pump.stop();
  reactor.run();
  expect(readAvailable(from.read)).toBe("here");
  expect(unreadBytes(to.read)).toBe(0);
});
