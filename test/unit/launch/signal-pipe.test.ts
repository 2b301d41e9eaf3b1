import { expect, test } from "bun:test";
import { emitSignalHandler, SignalPipe } from "../../../src/launch/signal-pipe.ts";
import { poll } from "../../../src/sys/poll.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { disassemble } from "./disassemble.ts";

const withoutAddresses = (lines: readonly string[]) => lines.map((line) => line.replace(/^[0-9a-f]+: /, ""));

test("x86-64: writes what the signal is about, and returns through the restorer", () => {
  const { code, restorer } = emitSignalHandler("x86-64", 300);
  const lines = disassemble("x86-64", code);
  // rsi holds the siginfo_t already; it begins with the signal's number.
  expect(withoutAddresses(lines)).toEqual([
    "mov edi,0x12c",
    "mov edx,0x1c",
    "mov eax,0x1",
    "syscall",
    "ret",
    "mov eax,0xf",
    "syscall",
  ]);
  expect(lines[5]).toStartWith(`${restorer?.toString(16)}: `);
});

test("arm64: writes what the signal is about, and returns to the kernel's own restorer", () => {
  const { code, restorer } = emitSignalHandler("arm64", 300);
  expect(withoutAddresses(disassemble("arm64", code))).toEqual([
    "mov x0, #0x12c",
    "movk x0, #0x0, lsl #16",
    "mov x2, #0x1c",
    "mov x8, #0x40",
    "svc #0x0",
    "ret",
  ]);
  expect(restorer).toBeUndefined();
});

/** The program of the tests below, told line by line what to do. */
class Receiver implements Disposable {
  readonly #child = Bun.spawn([process.execPath, `${import.meta.dir}/fixtures/signal-pipe.ts`], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  readonly #reader = this.#child.stdout.getReader();
  readonly exited = this.#child.exited;
  #text = "";

  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`);
    this.#child.stdin.flush();
  }

  send(signal: number): void {
    process.kill(this.#child.pid, signal);
  }

  get signalCode() {
    return this.#child.signalCode;
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`the receiver ended after "${this.#text}"`);
      this.#text += Buffer.from(value).toString();
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

test("signals of another process, of any thread, of its own, and real-time ones", async () => {
  using receiver = new Receiver();
  expect(await receiver.line()).toBe("ready");
  for (const signal of [Signal.SIGTERM, Signal.SIGUSR1, Signal.SIGTERM, 64]) {
    receiver.send(signal);
    expect(await receiver.line()).toBe(`signal ${signal}`);
  }
  receiver.tell("threads");
  const threads = Number(await receiver.line());
  // Bun has helper threads from the start; otherwise this would show nothing.
  expect(threads).toBeGreaterThan(1);
  for (let thread = 0; thread < threads; thread++) expect(await receiver.line()).toBe(`signal ${Signal.SIGUSR1}`);
});

test("a thousand signals from a process that floods it harm nothing", async () => {
  using receiver = new Receiver();
  expect(await receiver.line()).toBe("ready");
  for (let count = 0; count < 1000; count++) receiver.send(34 + (count % 30));
  receiver.tell("count");
  // Real-time signals are queued, so that none is lost.
  expect(await receiver.line()).toBe("counted 1000");
});

test("the former actions are back after the end", async () => {
  using receiver = new Receiver();
  expect(await receiver.line()).toBe("ready");
  receiver.tell("end");
  expect(await receiver.line()).toBe("same actions: true");
  receiver.send(Signal.SIGTERM);
  await receiver.exited;
  expect(receiver.signalCode).toBe("SIGTERM");
});

test("a signal that another thread is just handling harms nothing after the end", () => {
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, `${import.meta.dir}/fixtures/late-signals.ts`]);
  expect({ exitCode, errors: stderr.toString() }).toEqual({ exitCode: 0, errors: "" });
  expect(stdout.toString()).toBe("done\n");
});

test("the next who wants signals gets none that were sent to the one before", () => {
  const first = new SignalPipe([Signal.SIGUSR1]);
  process.kill(process.pid, "SIGUSR1");
  poll([first.descriptor], 10_000);
  first[Symbol.dispose]();
  using second = new SignalPipe([Signal.SIGUSR2]);
  expect(second.next()).toBeUndefined();
  process.kill(process.pid, "SIGUSR2");
  poll([second.descriptor], 10_000);
  expect(second.next()).toBe(Signal.SIGUSR2);
});
