import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { fstatSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignalPipe } from "../../../src/launch/signal-pipe.ts";
import { setBlocking } from "../../../src/sys/blocking.ts";
import { Errno } from "../../../src/sys/errno.ts";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { allocate } from "../../../src/sys/memory.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { connectUnix, pipe, receiveDescriptor, sendDescriptors, socketPair } from "../../../src/sys/socket.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { descriptorsLeftBy } from "../../open-descriptors.ts";

const F_GETFD = 1;
const FD_CLOEXEC = 1;
const LONGEST_PATH = 107;

let cleanup: DisposableStack;

beforeEach(() => {
  cleanup = new DisposableStack();
});
afterEach(() => cleanup.dispose());

function testPair(): [FileDescriptor, FileDescriptor] {
  const [one, other] = socketPair();
  return [cleanup.use(one), cleanup.use(other)];
}

function testPipe(): [FileDescriptor, FileDescriptor] {
  const [read, write] = pipe();
  return [cleanup.use(read), cleanup.use(write)];
}

function isCloseOnExec({ number }: FileDescriptor): boolean {
  return systemCall(SystemCall.fcntl, number, F_GETFD) === FD_CLOEXEC;
}

/** Reads what is there; an empty text is the end. */
function readText({ number }: FileDescriptor): string {
  const buffer = Buffer.alloc(100);
  return buffer.toString("utf8", 0, readSync(number, buffer));
}

test("pipe: read end, write end, both close-on-exec", () => {
  const [read, write] = testPipe();
  expect([isCloseOnExec(read), isCloseOnExec(write)]).toEqual([true, true]);
  writeSync(write.number, "through");
  expect(readText(read)).toBe("through");
  write.close();
  expect(readText(read)).toBe("");
});

test("socketPair: both ends read and write, and are close-on-exec", () => {
  const [one, other] = testPair();
  expect([isCloseOnExec(one), isCloseOnExec(other)]).toEqual([true, true]);
  writeSync(one.number, "there");
  expect(readText(other)).toBe("there");
  writeSync(other.number, "and back");
  expect(readText(one)).toBe("and back");
});

describe("passing descriptors", () => {
  test("the receiver gets a descriptor of its own for the same file", () => {
    const [near, far] = testPair();
    const [read, write] = testPipe();
    sendDescriptors(near.number, Buffer.from("console"), [write.number]);
    const received = receiveDescriptor(far.number);
    if (received === undefined) throw new Error("nothing was received");
    cleanup.use(received);
    expect(received.number).not.toBe(write.number);
    expect(isCloseOnExec(received)).toBe(true);
    write.close();
    writeSync(received.number, "still open");
    expect(readText(read)).toBe("still open");
    received.close();
    expect(readText(read)).toBe("");
  });

  test("a message brings its own descriptor only", () => {
    const [near, far] = testPair();
    const files = [openSync("/dev/null", "r"), openSync("/dev/zero", "r")].map((file) =>
      cleanup.use(new FileDescriptor(file)),
    );
    for (const file of files) sendDescriptors(near.number, Buffer.from("x"), [file.number]);
    for (const file of files) {
      const received = cleanup.use(receiveDescriptor(far.number));
      expect(received === undefined ? undefined : fstatSync(received.number).rdev).toBe(fstatSync(file.number).rdev);
    }
  });

  test("of several in one message only the first is taken, and none is left open", () => {
    const [near, far] = testPair();
    const [read, write] = testPipe();
    const left = descriptorsLeftBy(() => {
      sendDescriptors(near.number, Buffer.from("x"), [read.number, write.number, write.number]);
      using received = receiveDescriptor(far.number);
      expect(received === undefined ? undefined : fstatSync(received.number).ino).toBe(fstatSync(read.number).ino);
    });
    expect(left).toBe(0);
    write.close();
    expect(readText(read)).toBe("");
  });

  test("undefined when there is none: bytes alone, or a peer that has closed", () => {
    const [near, far] = testPair();
    writeSync(near.number, "only bytes");
    expect(receiveDescriptor(far.number)).toBeUndefined();
    near.close();
    expect(receiveDescriptor(far.number)).toBeUndefined();
  });

  test("undefined from a peer that has closed without reading what was sent to it", () => {
    const [near, far] = socketPair();
    using _far = far;
    writeSync(far.number, "unread");
    near.close();
    expect(receiveDescriptor(far.number)).toBeUndefined();
  });

  test("a signal while the receiver has no room keeps none back", async () => {
    const [near, far] = testPair();
    const [read] = testPipe();
    setBlocking(near.number, false);
    const byte = allocate(1);
    while (systemCall(SystemCall.write, near.number, byte.address, 1) === 1);
    setBlocking(near.number, true);
    await signalling("s = socket.socket(fileno=3)\n---while s.recv(1 << 20): pass", { descriptor: far.number });
    sendDescriptors(near.number, Buffer.from("x"), [read.number]);
  });

  test("errors: a closed peer, no socket, no such descriptor", () => {
    const [near, far] = testPair();
    far.close();
    const [read] = testPipe();
    const send = (socket: number, descriptor: number) => () => sendDescriptors(socket, Buffer.from("x"), [descriptor]);
    expect(send(near.number, read.number)).toThrow("send a file descriptor: EPIPE");
    expect(send(read.number, read.number)).toThrow("send a file descriptor: ENOTSOCK");
    const [other] = testPair();
    expect(send(other.number, 1_000_000)).toThrow("send a file descriptor: EBADF");
    expect(() => receiveDescriptor(read.number)).toThrow("receive a file descriptor: ENOTSOCK");
  });
});

/** Sends signals to this process for a while, in which it waits for what comes then. */
async function signalling(then: string, options: { readonly words?: string[]; readonly descriptor?: number }) {
  const script = `
import os, signal, socket, sys, time
${then.split("---")[0]}
print("ready", flush=True)
for _ in range(50):
  time.sleep(0.005)
  os.kill(os.getppid(), signal.SIGUSR1)
${then.split("---")[1]}
`;
  cleanup.use(new SignalPipe([Signal.SIGUSR1]));
  const child = Bun.spawn(["python3", "-c", script, ...(options.words ?? [])], {
    stdio: ["ignore", "pipe", "inherit", options.descriptor ?? "ignore"],
  });
  cleanup.defer(() => child.kill("SIGKILL"));
  await child.stdout.getReader().read();
}

describe("connectUnix", () => {
  function listen(path: string): string {
    const server = Bun.listen({ unix: path, socket: { data() {} } });
    cleanup.defer(() => server.stop(true));
    return path;
  }

  function testDirectory(): string {
    const directory = mkdtempSync(join(tmpdir(), "socket-"));
    cleanup.defer(() => rmSync(directory, { recursive: true }));
    return directory;
  }

  test.each(["short", "ä and ö", "longest"])("connects to a path that is %s", (name) => {
    const directory = testDirectory();
    const room = LONGEST_PATH - Buffer.byteLength(directory) - 1;
    const path = listen(join(directory, name === "longest" ? "x".repeat(room) : name));
    const socket = cleanup.use(connectUnix(path));
    expect(isCloseOnExec(socket)).toBe(true);
    expect(writeSync(socket.number, "hello")).toBe(5);
  });

  test("goes on waiting for a busy listener when there is a signal", async () => {
    const path = join(testDirectory(), "busy");
    const listen = "s = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen(0)";
    await signalling(`${listen}---c = []\nwhile True: c.append(s.accept())`, { words: [path] });
    // As many as may wait, and one more.
    for (let count = 0; count < 2; count++) cleanup.use(connectUnix(path));
  });

  test("refuses a path beyond 107 bytes before the kernel cuts it", () => {
    const directory = testDirectory();
    const path = join(directory, "ä".repeat(60));
    expect(() => connectUnix(path)).toThrow(
      expect.objectContaining({ code: "socket_path_too_long", object: path, message: expect.stringContaining("107") }),
    );
  });

  test("names the path that is missing, or where nobody listens, and leaves nothing open", () => {
    const directory = testDirectory();
    const missing = join(directory, "missing");
    const file = join(directory, "file");
    writeFileSync(file, "");
    const left = descriptorsLeftBy(() => {
      expect(() => connectUnix(missing)).toThrow(`connect to ${missing}: ENOENT`);
      expect(() => connectUnix(file)).toThrow(expect.objectContaining({ errno: Errno.ECONNREFUSED }));
    });
    expect(left).toBe(0);
  });
});
