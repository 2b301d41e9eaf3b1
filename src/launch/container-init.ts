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
 */
import { type Architecture, hostArchitecture } from "../sys/architecture.ts";
import { Errno } from "../sys/errno.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { ChildInformation, CLD_EXITED, WaitFor, WaitOption } from "../sys/process.ts";
import { sealedMemoryFile } from "../sys/sealed-memory-file.ts";
import { Signal } from "../sys/signal.ts";
import { SIG_SETMASK, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { OperationTable } from "./operation-table.ts";
import { encodeProgramFile, VARIABLES_ADDRESS, VARIABLES_BUFFER_ADDRESS } from "./program-file.ts";

const TIOCSPGRP = 0x5410;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
const SIGNALLED = 128;

/** The init as an ELF file of less than 2 KiB. */
export function containerInit(architecture: Architecture): Uint8Array {
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
    table.load64(value, argument);
    table.branch(value, "equal", 0, noCommand);
    table.call("execve", [value, argument, environment], what, { result: value, ignore: "any" });
    table.branch(value, "equal", -Errno.ENOENT, noCommand);
    table.call("exit_group", [NOT_EXECUTABLE], what);
    table.place(started);
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

/** The init for this machine, as an executable file in memory that nobody can change any more. */
export function memfdWithContainerInit(): FileDescriptor {
  return sealedMemoryFile("init", containerInit(hostArchitecture()));
}
