/*
 * The container's init (`--init`): a program file that runs as process 1 of a container, as
 * `init [--] COMMAND [ARGUMENT...]` with the absolute path of the command.
 *
 * It blocks every signal, starts the command in a child with the signal mask that it was given itself, in a process
 * group of its own that is made the foreground group of the terminal on standard input, if there is one. Then it waits
 * for signals: any but SIGCHLD goes on to the child; at SIGCHLD it reaps every child that has ended, its own and the
 * orphans that the kernel gave to it. When the command ends, it exits with the command's status, or with 128 plus the
 * number of the signal that killed it. If the command cannot be executed the status is 127 (not found) or 126.
 *
 * Blocking comes first, so no signal is lost in between, and a blocked SIGTTOU lets the child, which is not yet in the
 * foreground, change the terminal's foreground group.
 *
 * A command that is given sockets has to find its own process id in its environment (`LISTEN_PID`, sd_listen_fds(3)),
 * which nobody knows before it is there. For it there is another init, a few hundred bytes larger, whose child writes
 * the number over the variable's value.
 */
import { type Architecture, hostArchitecture } from "../sys/architecture.ts";
import { Errno } from "../sys/errno.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { ChildInformation, CLD_EXITED, WaitFor, WaitOption } from "../sys/process.ts";
import { sealedMemoryFile } from "../sys/sealed-memory-file.ts";
import { Signal } from "../sys/signal.ts";
import { SIG_SETMASK, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { OperationTable } from "./operation-table.ts";
import { OWN_PID_VARIABLE } from "./own-pid-variable.ts";
import { encodeProgramFile, VARIABLES_ADDRESS, VARIABLES_BUFFER_ADDRESS } from "./program-file.ts";

const TIOCSPGRP = 0x5410;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
const SIGNALLED = 128;

/** Digits of the largest process id, which is below 2^22, less one. */
const LARGEST_EXPONENT = 6;

/**
 * The init as an ELF file of less than 2 KiB, or 3 KiB.
 * @param tellsPid whether the command gets its own process id over the value of `LISTEN_PID`, which has to be at least ten
 * bytes long
 */
export function containerInit(architecture: Architecture, { tellsPid }: { readonly tellsPid: boolean }): Uint8Array {
  const table = new OperationTable(VARIABLES_ADDRESS);
  const stack = table.slot("initial stack");
  const argument = table.slot("address of the command in argv");
  const environment = table.slot("envp");
  const value = table.slot("value");
  const allSignals = table.slot("all signals");
  const givenMask = table.slot("given signal mask");
  const child = table.slot("child");
  const signal = table.slot("signal");
  const what = { operation: "run the container's init" };
  const allSignalsAddress = table.addressOf(allSignals);
  const givenMaskAddress = table.addressOf(givenMask);

  table.set(allSignals, -1);
  table.call("rt_sigprocmask", [SIG_SETMASK, allSignalsAddress, givenMaskAddress, SIGNAL_SET_SIZE], what);
  // A parent that ignored SIGCHLD would have made the kernel reap children without telling; zero means SIG_DFL.
  table.call("rt_sigaction", [Signal.SIGCHLD, VARIABLES_BUFFER_ADDRESS, 0, SIGNAL_SET_SIZE], what);

  const noCommand = table.label("no command");
  const command = table.label("command");
  table.load64(value, stack);
  table.branch(value, "less", 2, noCommand);
  table.add(argument, stack, 16);
  table.add(environment, argument, value, 3);
  // The kernel puts the argument strings one after the other, so "--" follows the NUL of argv[0].
  table.load64(value, argument);
  table.load32(value, value, -1);
  table.branch(value, "not equal", Buffer.from("\0--\0").readInt32LE(), command);
  table.add(argument, argument, 8);
  table.place(command);
  startCommand();

  const wait = table.label("wait");
  const reap = table.label("reap");
  table.place(wait);
  table.call("rt_sigtimedwait", [allSignalsAddress, 0, 0, SIGNAL_SET_SIZE], what, {
    result: signal,
    ignore: "any",
    onIgnored: wait,
  });
  table.branch(signal, "equal", Signal.SIGCHLD, reap);
  table.call("kill", [child, signal], what, { ignore: "any", onSuccess: wait, onIgnored: wait });
  table.place(reap);
  reapAndExit();

  table.place(noCommand);
  table.call("exit_group", [NOT_FOUND], what);
  return encodeProgramFile(architecture, table, stack, "compact");

  function startCommand(): void {
    const inChild = table.label("child");
    const started = table.label("started");
    table.fork(what, { child: inChild, flags: Signal.SIGCHLD, result: child });
    table.jump(started);
    table.place(inChild);
    table.call("setpgid", [0, 0], what);
    table.call("getpid", [], what, { result: child });
    // Without a terminal, or with one that controls another session, there is nothing to do.
    table.call("ioctl", [0, TIOCSPGRP, table.addressOf(child)], what, { ignore: "any" });
    table.call("rt_sigprocmask", [SIG_SETMASK, givenMaskAddress, 0, SIGNAL_SET_SIZE], what);
    if (tellsPid) writePid();
    table.load64(value, argument);
    table.branch(value, "equal", 0, noCommand);
    table.call("execve", [value, argument, environment], what, { result: value, ignore: "any" });
    table.branch(value, "equal", -Errno.ENOENT, noCommand);
    table.call("exit_group", [NOT_EXECUTABLE], what);
    table.place(started);
  }

  /** Writes `child` over the value of OWN_PID_VARIABLE, as decimal text that NUL ends. */
  function writePid(): void {
    const cursor = table.slot("address in envp");
    const text = table.slot("text");
    const exponent = table.slot("exponent");
    const count = table.slot("count");
    const power = table.slot("power of ten");
    const written = table.slot("what the digits so far stand for");
    const digit = table.slot("digit");
    const find = table.label("find the variable");
    const nextDigit = table.label("next digit");
    const raise = table.label("raise");
    const raised = table.label("raised");
    const countUp = table.label("count up");
    const counted = table.label("counted");
    const isLeadingZero = table.label("leading zero");
    const done = table.label("written");
    const four = (offset: number) => Buffer.from(OWN_PID_VARIABLE).readInt32LE(offset);
    const lastFour = OWN_PID_VARIABLE.length - 4;
    table.set(cursor, environment);
    table.place(find);
    table.load64(text, cursor);
    table.branch(text, "equal", 0, done);
    table.add(cursor, cursor, 8);
    table.load32(value, text);
    table.branch(value, "not equal", four(0), find);
    table.load32(value, text, lastFour);
    table.branch(value, "not equal", four(lastFour), find);
    table.add(text, text, OWN_PID_VARIABLE.length);
    table.set(exponent, LARGEST_EXPONENT);
    table.set(written, 0);

    table.place(nextDigit);
    table.set(power, 1);
    table.set(count, exponent);
    table.place(raise);
    table.branch(count, "equal", 0, raised);
    table.add(value, power, power, 2);
    table.add(power, value, value);
    table.add(count, count, -1);
    table.jump(raise);
    table.place(raised);
    table.set(digit, "0".charCodeAt(0));
    table.place(countUp);
    table.add(value, written, power);
    table.branch(child, "less", value, counted);
    table.set(written, value);
    table.add(digit, digit, 1);
    table.jump(countUp);
    table.place(counted);
    table.branch(written, "equal", 0, isLeadingZero);
    // The three bytes behind the digit are NUL.
    table.store32(digit, text);
    table.add(text, text, 1);
    table.place(isLeadingZero);
    table.branch(exponent, "equal", 0, done);
    table.add(exponent, exponent, -1);
    table.jump(nextDigit);
    table.place(done);
  }

  function reapAndExit(): void {
    const information = VARIABLES_BUFFER_ADDRESS;
    const exit = table.label("exit");
    // Without children (ECHILD), and if none has ended (pid 0), there is no more to reap.
    const options = WaitOption.WNOHANG | WaitOption.WEXITED;
    table.call("waitid", [WaitFor.ALL, 0, information, options, 0], what, { ignore: "any", onIgnored: wait });
    table.load32(value, information, ChildInformation.pid);
    table.branch(value, "equal", 0, wait);
    table.branch(value, "not equal", child, reap);
    table.load32(signal, information, ChildInformation.status);
    table.load32(value, information, ChildInformation.code);
    table.branch(value, "equal", CLD_EXITED, exit);
    table.add(signal, signal, SIGNALLED);
    table.place(exit);
    table.call("exit_group", [signal], what);
  }
}

/**
 * The init for this machine, as an executable file in memory that nobody can change any more.
 * @param options see `containerInit`
 */
export function memfdWithContainerInit(options: { readonly tellsPid: boolean }): FileDescriptor {
  return sealedMemoryFile("init", containerInit(hostArchitecture(), options));
}
