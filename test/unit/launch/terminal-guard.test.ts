import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { makeRawGuarded, terminalGuard } from "../../../src/launch/terminal-guard.ts";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { endsWithin, processStatus } from "../../../src/sys/process-identity.ts";
import { openProcess } from "../../../src/sys/reactor.ts";
import { pipe } from "../../../src/sys/socket.ts";
import { makeRaw, readAttributes } from "../../../src/sys/terminal.ts";
import { pseudoTerminal } from "../sys/pseudo-terminal.ts";
import { executableFile } from "./run-file.ts";

let cleanup: DisposableStack;
let peer: FileDescriptor;

beforeEach(() => {
  cleanup = new DisposableStack();
  const terminal = pseudoTerminal();
  cleanup.use(terminal.master);
  peer = cleanup.use(terminal.peer);
});
afterEach(() => cleanup.dispose());

/** The guards that some process has started. */
function guardsOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => processStatus(pid)?.parent === parent && commandLine(pid) === "bunker-terminal-guard\0");
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

describe.each(["x86-64", "arm64"] as const)("the guard for %s", (architecture) => {
  test("is smaller than 2 KiB", () => {
    expect(terminalGuard(architecture, readAttributes(peer.number)).length).toBeLessThan(2048);
  });

  test.each([
    ["puts the attributes back at the end of the pipe", "", true],
    ["leaves them alone after a byte", ".", false],
  ])("%s", async (_, told, puts) => {
    const found = readAttributes(peer.number);
    using file = executableFile(architecture, terminalGuard(architecture, found));
    makeRaw(peer.number);
    const raw = readAttributes(peer.number);
    expect(raw).not.toEqual(found);
    const [read, write] = pipe();
    cleanup.use(read);
    cleanup.use(write);
    const guard = Bun.spawn([...file.command], { stdin: peer.number, stdout: read.number, stderr: "inherit" });
    try {
      // Nothing is done before the byte or the end: it still runs, and the terminal is as it was.
      expect(guard.exitCode).toBeNull();
      expect(readAttributes(peer.number)).toEqual(raw);
      if (told !== "") Bun.spawnSync(["printf", told], { stdout: write.number });
      write.close();
      expect(await guard.exited).toBe(0);
    } finally {
      guard.kill("SIGKILL");
    }
    expect(readAttributes(peer.number)).toEqual(puts ? found : raw);
  });
});

describe("makeRawGuarded", () => {
  /** Starts the program that has a guarded terminal; ready when the terminal is raw. */
  async function startGuarded() {
    const found = readAttributes(peer.number);
    const child = Bun.spawn([process.execPath, `${import.meta.dir}/fixtures/raw-terminal.ts`], {
      stdio: ["pipe", "pipe", "inherit", peer.number],
      // A process group of its own.
      detached: true,
    });
    cleanup.defer(() => child.kill("SIGKILL"));
    const reader = child.stdout.getReader();
    const heard = async () => Buffer.from((await reader.read()).value ?? []).toString();
    const tell = (word: string) => {
      child.stdin.write(word);
      child.stdin.flush();
    };
    expect(await heard()).toBe("raw");
    expect(readAttributes(peer.number)).not.toEqual(found);
    const [guard, another] = guardsOf(child.pid);
    if (guard === undefined || another !== undefined) throw new Error("not one guard");
    return { child, found, heard, tell, guard: cleanup.use(openProcess(guard)) };
  }

  test.each(["process", "group"])("kill -9 of the %s puts the attributes back, and the guard goes", async (whom) => {
    const { child, found, guard } = await startGuarded();
    process.kill(whom === "group" ? -child.pid : child.pid, "SIGKILL");
    expect(endsWithin(guard, 60)).toBe(true);
    expect(readAttributes(peer.number)).toEqual(found);
    expect(await child.exited).not.toBe(0);
  });

  test("so does an exit that forgets to", async () => {
    const { child, found, guard, tell } = await startGuarded();
    tell("exit");
    expect(await child.exited).toBe(0);
    expect(endsWithin(guard, 60)).toBe(true);
    expect(readAttributes(peer.number)).toEqual(found);
  });

  test("a normal end puts them back, dismisses the guard, and nobody touches them afterwards", async () => {
    const { child, found, guard, heard, tell } = await startGuarded();
    tell("restore");
    expect(await heard()).toBe("restored");
    expect(readAttributes(peer.number)).toEqual(found);
    // It was waited for already.
    expect(endsWithin(guard, 0)).toBe(true);
    expect(guardsOf(child.pid)).toEqual([]);
    makeRaw(peer.number);
    const changed = readAttributes(peer.number);
    tell("end");
    expect(await child.exited).toBe(0);
    expect(readAttributes(peer.number)).toEqual(changed);
  });

  test("signals to the guard do not end it", async () => {
    const { child, found, guard } = await startGuarded();
    const [pid] = guardsOf(child.pid);
    if (pid === undefined) throw new Error("there is no guard");
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGTTOU"]) process.kill(pid, signal);
    expect(guardsOf(child.pid)).toEqual([pid]);
    child.kill("SIGKILL");
    expect(endsWithin(guard, 60)).toBe(true);
    expect(readAttributes(peer.number)).toEqual(found);
    await child.exited;
  });

  test("is refused for what is no terminal, without a guard left", () => {
    const file = cleanup.use(new FileDescriptor(openSync("/dev/null", "r")));
    expect(() => makeRawGuarded(file.number)).toThrow("read the terminal's attributes: ENOTTY");
    expect(guardsOf(process.pid)).toEqual([]);
  });
});
