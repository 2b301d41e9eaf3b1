/*
 * A link that loses, delays and reorders: between a real kernel in a network namespace, with its TAP, and the stack.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openSync, readlinkSync } from "node:fs";
import { openTap } from "../../../src/network/tap/open-tap.ts";
import { CloneFlag } from "../../../src/sys/clone.ts";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { allocate } from "../../../src/sys/memory.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { eventually } from "../../unprivileged-user.ts";
import { CONFIGURATION, StackOnSocket } from "./stack-on-socket.ts";

interface Faults {
  /** Of each frame, from 0 to 1. */
  readonly loss: number;
  /** Milliseconds. */
  readonly delay: number;
  /** The part of frames that come later still, so that others overtake them. */
  readonly reordered: number;
}

const MORE_DELAY = 4;
const FRAME_SIZE = 70_000;
const memory = allocate(FRAME_SIZE);

/** Passes frames on between two descriptors, one way. */
class FaultyWay {
  readonly #from: number;
  readonly #to: number;
  readonly #faults: Faults;
  #waiting: { readonly due: number; readonly frame: Buffer }[] = [];
  lost = 0;

  constructor(from: number, to: number, faults: Faults) {
    this.#from = from;
    this.#to = to;
    this.#faults = faults;
  }

  move(): void {
    const now = performance.now();
    for (;;) {
      const length = systemCall(SystemCall.read, this.#from, memory.address, FRAME_SIZE);
      if (length <= 0) break;
      if (Math.random() < this.#faults.loss) {
        this.lost++;
        continue;
      }
      const due = now + this.#faults.delay + (Math.random() < this.#faults.reordered ? MORE_DELAY : 0);
      this.#waiting.push({ due, frame: Buffer.from(memory.buffer.subarray(0, length)) });
    }
    for (const { frame } of this.#waiting.filter(({ due }) => due <= now)) {
      memory.buffer.set(frame);
      systemCall(SystemCall.write, this.#to, memory.address, frame.length);
    }
    this.#waiting = this.#waiting.filter(({ due }) => due > now);
  }
}

const SERVER = `
import socket, hashlib
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen()
print(l.getsockname()[1], flush=True)
s, _ = l.accept()
data = b""
while True:
    part = s.recv(1 << 18)
    if not part: break
    data += part
s.sendall(hashlib.sha256(data).digest() + data)
s.close()`;

const CLIENT = `
import socket, hashlib, random, sys
data = random.Random(1).randbytes(6 << 20)
s = socket.create_connection(("10.0.2.2", int(sys.argv[1])))
s.sendall(data)
s.shutdown(socket.SHUT_WR)
answer = b""
while True:
    part = s.recv(1 << 18)
    if not part: break
    answer += part
print(answer[:32] == hashlib.sha256(data).digest(), answer[32:] == data)`;

let stack: StackOnSocket;
let namespace: Bun.Subprocess;
let cleanup: DisposableStack;

beforeEach(async () => {
  cleanup = new DisposableStack();
  stack = cleanup.use(new StackOnSocket());
  namespace = Bun.spawn(["unshare", "--net", "sleep", "infinity"]);
  const path = `/proc/${namespace.pid}/ns/net`;
  await eventually(
    () => readlinkSync(path) !== readlinkSync("/proc/self/ns/net"),
    () => "a network namespace",
  );
});

afterEach(async () => {
  namespace.kill("SIGKILL");
  await namespace.exited;
  cleanup.dispose();
});

describe("every byte arrives, both ways, over a link with", () => {
  test.each<[string, Faults]>([
    ["loss", { loss: 0.05, delay: 0, reordered: 0 }],
    ["delay", { loss: 0, delay: 3, reordered: 0 }],
    ["reordering", { loss: 0, delay: 1, reordered: 0.1 }],
    ["all of it", { loss: 0.03, delay: 1, reordered: 0.05 }],
  ])(
    "%s",
    async (_name, faults) => {
      const { mtu, ipv4 } = CONFIGURATION;
      using file = new FileDescriptor(openSync(`/proc/${namespace.pid}/ns/net`, "r"));
      using tap = openTap({
        name: "tap0",
        namespaces: [{ descriptor: file.number, type: CloneFlag.NEWNET }],
        configuration: { mtu, hardwareAddress: undefined, addresses: [ipv4] },
      });
      const out = new FaultyWay(tap.number, stack.link, faults);
      const back = new FaultyWay(stack.link, tap.number, faults);
      const server = Bun.spawn(["/usr/bin/python3", "-c", SERVER], { stdout: "pipe" });
      const { value } = await server.stdout.getReader().read();
      const port = new TextDecoder().decode(value).trim();
      const inside = ["nsenter", `--net=/proc/${namespace.pid}/ns/net`, "/usr/bin/python3", "-c", CLIENT, port];
      const client = Bun.spawn(inside, { stdout: "pipe" });
      const move = () => {
        out.move();
        stack.work();
        back.move();
      };
      while (client.exitCode === null) {
        move();
        await Bun.sleep(0);
      }
      expect(await new Response(client.stdout).text()).toBe("True True\n");
      expect(out.lost + back.lost > 0).toBe(faults.loss > 0);
      await server.exited;
      // The last acknowledgements may have got lost.
      await eventually(
        () => {
          move();
          return stack.usage.slots < 4;
        },
        () => `the end of ${stack.usage.slots} slots`,
      );
    },
    90_000,
  );
});
