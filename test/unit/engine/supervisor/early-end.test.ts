import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  awaitEarlyEnd,
  dismissSupervisor,
  type EarlyWatch,
  keepRemoved,
  waitForEarlyEnd,
} from "../../../../src/engine/supervisor/early-end.ts";
import { launch } from "../../../../src/launch/launch.ts";
import { LaunchProgram } from "../../../../src/launch/program.ts";
import { SignalPipe } from "../../../../src/launch/signal-pipe.ts";
import { setBlocking } from "../../../../src/sys/blocking.ts";
import { FileDescriptor } from "../../../../src/sys/file-descriptor.ts";
import { connectForMessages, listenForMessages } from "../../../../src/sys/message-socket.ts";
import { poll } from "../../../../src/sys/poll.ts";
import { waitForExit } from "../../../../src/sys/process.ts";
import { sendSignal } from "../../../../src/sys/process-identity.ts";
import { openProcess } from "../../../../src/sys/reactor.ts";
import { Signal } from "../../../../src/sys/signal.ts";
import { pipe, socketPair } from "../../../../src/sys/socket.ts";
import { SystemCall, systemCall } from "../../../../src/sys/system-call.ts";

const PR_SET_CHILD_SUBREAPER = 36;
const what = { operation: "stand in for a container" };

let directory: string;
beforeAll(() => {
  // Who goes on without a parent is reaped here.
  systemCall(SystemCall.prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  directory = mkdtempSync(join(tmpdir(), "early-end-"));
});
afterAll(() => {
  systemCall(SystemCall.prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  rmSync(directory, { recursive: true });
});

/**
 * A process that waits for the early end of its child, which says `says`, ends with status 7 once `go` is closed, and
 * stands in for a container. Where a supervisor would be executed, a shell prints the state of the child.
 */
function arrange({ says = "" } = {}) {
  const stack = new DisposableStack();
  /** Whether the child was reaped by its parent. */
  let isReaped = false;
  const program = stack.use(new LaunchProgram());
  const [socket, command] = socketPair();
  const [toldRead, toldWrite] = pipe();
  const [wait, go] = pipe();
  const [output, outputInner] = pipe();
  const [error, errorInner] = pipe();
  const [printed, print] = pipe();
  const at = stack.adopt(openSync(directory, "r"), closeSync);
  const name = crypto.randomUUID();
  const listener = listenForMessages(at, name);
  for (const end of [socket, toldRead, go, output, error, printed]) stack.use(end);
  for (const end of [toldRead, output, error]) setBlocking(end.number, false);

  const container = program.slot("container");
  const inContainer = program.label("container");
  program.call("dup3", [print.number, 1, 0], what);
  program.fork(what, { child: inContainer, flags: Signal.SIGCHLD, result: container });
  waitForEarlyEnd(program, container, {
    kept: [listener.number],
    listener: listener.number,
    command: command.number,
    told: { read: toldRead.number, write: toldWrite.number },
  });
  const script = `
    read -r child rest < /proc/$$/task/$$/children
    read -r pid name state rest < /proc/$child/stat
    case $state in Z) echo ended;; *) echo running;; esac
    exit 3`;
  const words = ["sh", "-c", script];
  program.call("execve", [program.text("/bin/sh"), program.texts(words), program.texts(["PATH=/bin:/usr/bin"])], what);
  program.place(inContainer);
  for (const end of [socket, command, toldRead, toldWrite, go, print, listener])
    program.call("close", [end.number], what);
  program.call("close", [1], what);
  const buffer = program.reserve(8);
  program.call("read", [wait.number, buffer.address, 1], what);
  program.call("write", [outputInner.number, program.text(says), says.length], what);
  program.call("exit_group", [7], what);

  const launched = launch(program, { flags: 0 });
  stack.use(launched.pidfd);
  stack.use(launched.errors);
  for (const end of [command, toldWrite, wait, outputInner, errorInner, print, listener]) end.close();
  const left: FileDescriptor[] = [];
  const watch = (isLogged: boolean) => ({
    socket,
    told: toldRead,
    output,
    error,
    isLogged,
    left,
    [Symbol.dispose]: () => {
      for (const end of [socket, toldRead, output, error, ...left]) end.close();
    },
  });
  return {
    watch,
    go,
    output,
    socket,
    told: toldRead,
    get container() {
      while (program.read(container) === 0) Bun.sleepSync(1);
      return openProcess(program.read(container));
    },
    /** The process that waits. */
    pid: launched.pid,
    /** Once it has been cloned. */
    get containerPid() {
      return program.read(container);
    },
    connect: () => connectForMessages(at, name),
    /** Waits for the end of the process; `printed` is what the supervisor's stand-in says. */
    finish(): { readonly end: ReturnType<typeof waitForExit>; readonly printed: string } {
      const end = waitForExit(launched.pid);
      isReaped = "exitCode" in end && end.exitCode === 0;
      return { end, printed: readFileSync(printed.number, "utf8") };
    },
    [Symbol.dispose]() {
      go.close();
      const pid = program.read(container);
      if (!isReaped) waitForExit(pid);
      stack.dispose();
    },
  };
}

/** Ends the wait as a command does that ends itself. */
function dismiss(watch: EarlyWatch): void {
  const { number } = watch.socket;
  dismissSupervisor(watch);
  closeSync(number);
}

const supervised = { end: { exitCode: 3 } };

describe("a container that ends early", () => {
  test("is reaped without a supervisor when its end is recorded", () => {
    using one = arrange();
    one.go.close();
    poll([one.told.number], 10_000);
    using watch = one.watch(true);
    expect(awaitEarlyEnd(watch, undefined)).toMatchObject({ kind: "exit", exitStatus: 7, isStopped: false });
    dismiss(watch);
    expect(one.finish()).toEqual({ end: { exitCode: 0 }, printed: "" });
  });

  test("by a signal has 128 and the signal as status", () => {
    using one = arrange();
    using container = one.container;
    sendSignal(container, Signal.SIGKILL);
    poll([one.told.number], 10_000);
    using watch = one.watch(true);
    expect(awaitEarlyEnd(watch, undefined)?.exitStatus).toBe(137);
    dismiss(watch);
    expect(one.finish().end).toEqual({ exitCode: 0 });
  });

  test("leaves what was removed to the process that has waited, until the command has ended", () => {
    using one = arrange();
    one.go.close();
    poll([one.told.number], 10_000);
    using watch = one.watch(true);
    expect(awaitEarlyEnd(watch, undefined)?.exitStatus).toBe(7);
    // The end of a pipe shows who is the last to have it open.
    const [last, removed] = pipe();
    using _last = last;
    keepRemoved(watch)(removed);
    const { number } = watch.socket;
    dismissSupervisor(watch);
    watch[Symbol.dispose]();
    expect(removed.isClosed).toBe(true);
    // It has reaped the container, which is the last that it does before.
    while (existsSync(`/proc/${one.containerPid}`)) Bun.sleepSync(1);
    expect(poll([last.number], 0)[0]).toBe(0);
    closeSync(number);
    expect(one.finish()).toEqual({ end: { exitCode: 0 }, printed: "" });
    expect(poll([last.number], 0)[0]).not.toBe(0);
  });

  test("is dismissed also when nothing can be handed over", () => {
    using one = arrange();
    one.go.close();
    poll([one.told.number], 10_000);
    using watch = one.watch(true);
    expect(awaitEarlyEnd(watch, undefined)?.exitStatus).toBe(7);
    // No descriptor: sendmsg(2) refuses it.
    keepRemoved(watch)(new FileDescriptor(1_000_000));
    dismiss(watch);
    expect(one.finish().end).toEqual({ exitCode: 0 });
  });

  test("has a supervisor when it leaves something to log", () => {
    using one = arrange({ says: "logged" });
    const left = openSync(`/proc/self/fd/${one.output.number}`, "r");
    one.go.close();
    poll([one.told.number], 10_000);
    expect(awaitEarlyEnd(one.watch(true), undefined)).toBeUndefined();
    // Not reaped: the supervisor learns of the end, and finds the output where it was.
    expect(one.finish()).toEqual({ ...supervised, printed: "ended\n" });
    const bytes = Buffer.alloc(16);
    expect(bytes.toString("latin1", 0, readSync(left, bytes))).toBe("logged");
    closeSync(left);
  });

  test("has none when there is no log", () => {
    using one = arrange({ says: "not logged" });
    one.go.close();
    poll([one.told.number], 10_000);
    using watch = one.watch(false);
    expect(awaitEarlyEnd(watch, undefined)?.exitStatus).toBe(7);
    dismiss(watch);
    expect(one.finish().end).toEqual({ exitCode: 0 });
  });

  test("has one when the command dies before it has recorded the end", () => {
    using one = arrange();
    one.go.close();
    poll([one.told.number], 10_000);
    one.socket.close();
    expect(one.finish()).toEqual({ ...supervised, printed: "ended\n" });
  });

  test("has one when another command asks for it before the end is recorded", () => {
    using one = arrange();
    one.go.close();
    poll([one.told.number], 10_000);
    const connection = one.connect();
    expect(one.finish()).toEqual({ ...supervised, printed: "ended\n" });
    if (typeof connection !== "number") connection.close();
  });
});

test("a command that was stopped before it heard of the end finds a supervisor", () => {
  using one = arrange();
  one.go.close();
  expect(one.finish()).toEqual({ ...supervised, printed: "ended\n" });
  expect(awaitEarlyEnd(one.watch(true), undefined)).toBeUndefined();
});

test("a command that has heard of the end has all the time to record it", () => {
  using one = arrange();
  one.go.close();
  poll([one.told.number], 10_000);
  using watch = one.watch(true);
  expect(awaitEarlyEnd(watch, undefined)?.exitStatus).toBe(7);
  // It waits without a limit when it has found that its word was heard.
  const limit = /^\d+ 0x[0-9a-f]+ 0x3 0x0 /;
  while (!limit.test(readFileSync(`/proc/${one.pid}/syscall`, "latin1"))) Bun.sleepSync(5);
  dismiss(watch);
  expect(one.finish()).toEqual({ end: { exitCode: 0 }, printed: "" });
});

describe("a container that goes on has a supervisor", () => {
  test("when the command was stopped", () => {
    using one = arrange();
    expect(one.finish()).toEqual({ ...supervised, printed: "running\n" });
    expect(awaitEarlyEnd(one.watch(true), undefined)).toBeUndefined();
  });

  test("after some milliseconds", () => {
    using one = arrange();
    expect(awaitEarlyEnd(one.watch(true), undefined)).toBeUndefined();
    expect(one.finish()).toEqual({ ...supervised, printed: "running\n" });
  });

  test("when a signal has come, which is left for it", () => {
    using one = arrange();
    using signals = new SignalPipe([Signal.SIGUSR1]);
    process.kill(process.pid, "SIGUSR1");
    expect(awaitEarlyEnd(one.watch(true), signals)).toBeUndefined();
    expect(signals.next()).toBe(Signal.SIGUSR1);
    expect(one.finish()).toEqual({ ...supervised, printed: "running\n" });
  });

  test("when the command dies", () => {
    using one = arrange();
    one.socket.close();
    expect(one.finish()).toEqual({ ...supervised, printed: "running\n" });
  });

  test("when another command connects", () => {
    using one = arrange();
    const connection = one.connect();
    expect(typeof connection).toBe("object");
    // The end of the socket is how the command learns of it.
    expect(poll([one.told.number], 10_000)[0]).not.toBe(0);
    expect(awaitEarlyEnd(one.watch(true), undefined)).toBeUndefined();
    expect(one.finish()).toEqual({ ...supervised, printed: "running\n" });
    if (typeof connection !== "number") connection.close();
  });
});
