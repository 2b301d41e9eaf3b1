import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JournalWriter } from "../../../../../src/engine/log/journal/journal-writer.ts";
import { SignalPipe } from "../../../../../src/launch/signal-pipe.ts";
import { Errno } from "../../../../../src/sys/errno.ts";
import { Signal } from "../../../../../src/sys/signal.ts";
import { memoryKeptByEach } from "../../../../kept-memory.ts";

/** Takes datagrams at a path and prints each as a line of Base64; as journald it is a process of its own. */
const RECEIVER = `
import base64, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
try: os.unlink(sys.argv[1])
except FileNotFoundError: pass
s.bind(sys.argv[1])
print("ready", flush=True)
while True: print(base64.b64encode(s.recv(1 << 20)).decode(), flush=True)
`;

let directory: string;
let path: string;
const receivers: Bun.Subprocess<"ignore", "pipe", "inherit">[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-journal-"));
  path = join(directory, "socket");
});
afterEach(async () => {
  for (const receiver of receivers.splice(0)) {
    receiver.kill("SIGKILL");
    await receiver.exited;
  }
  rmSync(directory, { recursive: true });
});

/** Starts a journal; returns what reads its next entries. */
async function startJournal() {
  const child = Bun.spawn(["python3", "-c", RECEIVER, path], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  receivers.push(child);
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const nextLine = async () => {
    for (let end = text.indexOf("\n"); ; end = text.indexOf("\n")) {
      if (end >= 0) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        return line;
      }
      const { done, value } = await reader.read();
      if (done) throw new Error("the journal has ended");
      text += decoder.decode(value, { stream: true });
    }
  };
  expect(await nextLine()).toBe("ready");
  return async () => entryOf(Buffer.from(await nextLine(), "base64"));
}

/** An entry as the native protocol has it. */
function entryOf(datagram: Buffer): Record<string, string> {
  const entry: Record<string, string> = {};
  for (let start = 0; start < datagram.length; ) {
    const end = datagram.indexOf("\n", start);
    const line = datagram.toString("latin1", start, end);
    const [, key = "", value] = /^(\w+)(?:=(.*))?$/s.exec(line) ?? [];
    if (value !== undefined) {
      entry[key] = value;
      start = end + 1;
      continue;
    }
    const length = Number(datagram.readBigUInt64LE(end + 1));
    entry[key] = datagram.toString("latin1", end + 9, end + 9 + length);
    expect(datagram[end + 9 + length]).toBe(10);
    start = end + 10 + length;
  }
  return entry;
}

const identity = { id: "0123456789abcdef".repeat(4), name: "web", image: "busybox", tag: "{{.Name}}/{{.ID}}" };

test("each line is an entry, whatever bytes it has, with the container's fields", async () => {
  const next = await startJournal();
  const writer = new JournalWriter(path, identity);
  writer.write("stdout", Buffer.from("one\ntw"));
  writer.write("stderr", Buffer.from("\x00\xffKEY=value\n", "latin1"));
  writer.write("stdout", Buffer.from("o\n\nrest"));
  const common = {
    CONTAINER_ID: "0123456789ab",
    CONTAINER_ID_FULL: identity.id,
    CONTAINER_NAME: "web",
    CONTAINER_TAG: "web/0123456789ab",
    IMAGE_NAME: "busybox",
    SYSLOG_IDENTIFIER: "web/0123456789ab",
  };
  expect(await next()).toEqual({ ...common, PRIORITY: "6", MESSAGE: "one" });
  expect(await next()).toEqual({ ...common, PRIORITY: "3", MESSAGE: "\x00\xffKEY=value" });
  expect((await next())["MESSAGE"]).toBe("two");
  expect((await next())["MESSAGE"]).toBe("");
  writer.end();
  expect((await next())["MESSAGE"]).toBe("rest");
  expect(writer.lost).toEqual({ bytes: 0, errno: undefined });
});

test("its end waits until the journal has entered everything", async () => {
  // Takes its time for each entry, and writes down what it has done with.
  const slow = `
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("ready", flush=True)
while True:
  entry = s.recv(1 << 20)
  time.sleep(0.01)
  with open(sys.argv[2], "ab") as file: file.write(entry)
`;
  const entered = join(directory, "entered");
  const child = Bun.spawn(["python3", "-c", slow, path, entered], { stdout: "pipe" });
  receivers.push(child);
  await child.stdout.getReader().read();
  const writer = new JournalWriter(path, identity);
  for (let index = 0; index < 10; index++) writer.write("stdout", Buffer.from(`line ${index}\n`));
  writer.write("stdout", Buffer.from("the last"));
  writer.end();
  expect(readFileSync(entered, "latin1")).toContain("the last");
});

test("long lines come in pieces", async () => {
  const next = await startJournal();
  const writer = new JournalWriter(path, identity);
  const line = Array.from({ length: 40_000 }, (_, index) => String.fromCharCode(97 + (index % 26))).join("");
  writer.write("stdout", Buffer.from(line.slice(0, 35_000)));
  writer.write("stdout", Buffer.from(`${line.slice(35_000)}\nnext\n`));
  const entries = [await next(), await next(), await next(), await next()];
  expect(entries.map((entry) => entry["CONTAINER_PARTIAL_MESSAGE"])).toEqual(["true", "true", undefined, undefined]);
  expect(
    entries
      .slice(0, 3)
      .map((entry) => entry["MESSAGE"])
      .join(""),
  ).toBe(line);
  expect(entries[3]?.["MESSAGE"]).toBe("next");
  writer.end();
});

test("what nobody takes is lost and counted, and a journal that is started again gets the rest", async () => {
  const writer = new JournalWriter(path, identity);
  writer.write("stdout", Buffer.from("nobody\n"));
  expect(writer.lost).toEqual({ bytes: 6, errno: Errno.ENOENT });
  const first = await startJournal();
  writer.write("stdout", Buffer.from("one\n"));
  expect((await first())["MESSAGE"]).toBe("one");
  receivers[0]?.kill("SIGKILL");
  await receivers[0]?.exited;
  writer.write("stdout", Buffer.from("gone\n"));
  expect(writer.lost).toEqual({ bytes: 10, errno: Errno.ECONNREFUSED });
  const second = await startJournal();
  writer.write("stdout", Buffer.from("two\n"));
  expect((await second())["MESSAGE"]).toBe("two");
  writer.end();
});

test("what nobody takes leaves nothing behind", () => {
  const writer = new JournalWriter(path, identity);
  expect(memoryKeptByEach(() => writer.write("stdout", Buffer.from("nobody\n")))).toBe(0);
});

test("signals lose nothing of what waits for a slow journal", async () => {
  // Sends signals until its queue has been full for a while, and only then takes what is in it.
  const slow = `
import os, signal, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("ready", flush=True)
for _ in range(50):
  time.sleep(0.005)
  os.kill(os.getppid(), signal.SIGUSR1)
while True: s.recv(1 << 20)
`;
  using _signals = new SignalPipe([Signal.SIGUSR1]);
  const child = Bun.spawn(["python3", "-c", slow, path], { stdout: "pipe" });
  receivers.push(child);
  await child.stdout.getReader().read();
  const writer = new JournalWriter(path, identity);
  const longestQueue = Number(readFileSync("/proc/sys/net/unix/max_dgram_qlen", "latin1"));
  for (let index = 0; index <= longestQueue + 1; index++) writer.write("stdout", Buffer.from(`line ${index}\n`));
  writer.end();
  expect(writer.lost).toEqual({ bytes: 0, errno: undefined });
});
