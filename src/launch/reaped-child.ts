/*
 * A child that need not be waited for.
 *
 * The first process of a pid namespace ends when all others in it have been waited for (pid_namespaces(7)). What a command
 * starts in the namespace of a container is the command's to wait for, and while that is stopped, by Ctrl-Z or SIGSTOP, it
 * does not: the container would stay. With SA_NOCLDWAIT the kernel frees a child at its end, whatever its parent is doing.
 * How it has ended is then nothing that waitid(2) knows, but SIGCHLD still says it: the kernel keeps the signal, with its
 * siginfo_t, until the parent goes on.
 *
 * Of several signals of one number that are pending the kernel keeps one, so this is for a process that has no other child
 * that ends meanwhile.
 */
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import { allocate } from "../sys/memory.ts";
import { poll } from "../sys/poll.ts";
import { ChildInformation, type ProcessEnd, processEnd, waitForExit } from "../sys/process.ts";
import { Signal } from "../sys/signal.ts";
import { SIG_UNBLOCK, SIGNAL_ACTION_SIZE, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { check, SystemCall, systemCall } from "../sys/system-call.ts";
import type { SignalPipe } from "./signal-pipe.ts";

const SA_NOCLDSTOP = 1;
const SA_NOCLDWAIT = 2;

/** Milliseconds that a signal may take from a child's end to its handler. */
const PATIENCE = 1000;

/** A child that the kernel reaps; see the head of this file. Disposing it, no signal comes for children any more. */
export class ReapedChild implements Disposable {
  readonly #signals: SignalPipe;
  readonly #pid: number;
  readonly #former = allocate(SIGNAL_ACTION_SIZE);
  #end: ProcessEnd | undefined;

  /**
   * @param signals through which SIGCHLD comes from now on
   * @param pid of a child of this process, which may have ended
   */
  constructor(signals: SignalPipe, pid: number) {
    this.#signals = signals;
    this.#pid = pid;
    const action = signals.action(SA_NOCLDSTOP | SA_NOCLDWAIT);
    const { SIGCHLD } = Signal;
    const result = systemCall(SystemCall.rt_sigaction, SIGCHLD, action.address, this.#former.address, SIGNAL_SET_SIZE);
    check(result, "handle signal", String(SIGCHLD));
    // Whoever started us may have blocked it.
    const set = allocate(SIGNAL_SET_SIZE);
    set.view.setUint32(0, 1 << (SIGCHLD - 1), true);
    check(systemCall(SystemCall.rt_sigprocmask, SIG_UNBLOCK, set.address, 0, SIGNAL_SET_SIZE), "unblock SIGCHLD");
  }

  /** Takes note of a SIGCHLD, the signal that has come last. */
  note(): void {
    const { information } = this.#signals;
    // One that a process has sent has a code that is not positive.
    const isOfKernel = information.getInt32(ChildInformation.code, true) > 0;
    const isOfChild = information.getInt32(ChildInformation.pid, true) === this.#pid;
    if (isOfKernel && isOfChild) this.#end = processEnd(information);
  }

  /**
   * How the child has ended; to be called when it has.
   * @throws BunkerError `system_call_failed` when nobody knows
   */
  end(): ProcessEnd {
    if (this.#end !== undefined) return this.#end;
    try {
      // It may have ended before the kernel was asked to reap it.
      return waitForExit(this.#pid);
    } catch (error) {
      if (!(error instanceof BunkerError) || error.errno !== Errno.ECHILD) throw error;
      while (this.#end === undefined) {
        if (poll([this.#signals.descriptor], PATIENCE)[0] === 0) throw error;
        // Other signals were for the child.
        if (this.#signals.next() === Signal.SIGCHLD) this.note();
      }
      return this.#end;
    }
  }

  [Symbol.dispose](): void {
    systemCall(SystemCall.rt_sigaction, Signal.SIGCHLD, this.#former.address, 0, SIGNAL_SET_SIZE);
  }
}
