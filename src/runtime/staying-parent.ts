/*
 * Theory of operation: a parent for a further process of a container that nobody waits for (`exec --detach`).
 *
 * A container ends when all processes of its pid namespace have been waited for (pid_namespaces(7)). One that was started
 * by a command which has left since belongs to the host's process 1, and that takes its time on some machines: so long
 * the container's end, and whoever removes it, would have to wait. The container's own process 1 is no help: many never
 * wait for what they have not started. So the launched process does not go into the container itself:
 *
 *   runtime ──▶ the launched process ──▶ the program that joins ──▶ (leaves)
 *                    │                          └── CLONE_PARENT ──┐
 *                    └─ executes the reaper ──▶ the container's process
 *
 * The launched process, in the host's namespaces and outside of the container's cgroup, forks the program and waits for
 * its end, since it is the parent of both. Then it tells us, becomes a reaper of one page (launch/child-reaper.ts), and
 * waits: we look for the container's process by its pid, which nobody may have reaped before. When we say so, or are
 * killed, it reaps what ends, and ends after its last child.
 */
import { memfdWithChildReaper, REAPER_SOCKET } from "../launch/child-reaper.ts";
import type { Slot } from "../launch/operation.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { Errno } from "../sys/errno.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { AT_EMPTY_PATH, OpenFlag } from "../sys/open.ts";
import { WaitFor, WaitOption } from "../sys/process.ts";
import { openProcess } from "../sys/reactor.ts";
import { Signal } from "../sys/signal.ts";
import { SIG_SETMASK, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { socketPair } from "../sys/socket.ts";
import { type Conversation, expectByte, failureOf } from "./conversation.ts";

const WHAT = { operation: "start the parent of the container's process" };

/** The name that the reaper has in lists of processes. */
export const REAPER_NAME = "bunker-exec-parent";

/** The parent of one process, from before its launch on. */
export class StayingParent implements Disposable {
  readonly #reaper: FileDescriptor;
  readonly #ours: FileDescriptor;
  readonly #theirs: FileDescriptor;

  constructor() {
    this.#reaper = memfdWithChildReaper();
    [this.#ours, this.#theirs] = socketPair();
  }

  /** The descriptors of ours that nobody else may keep open: at their end the parent goes on. */
  get held(): readonly number[] {
    return [this.#ours.number];
  }

  /**
   * Emits the fork. What is emitted from here on is executed by the program that joins.
   * @param cgroup a descriptor of the cgroup v2 directory that the program begins in
   */
  emitFork(program: LaunchProgram, cgroup: number | undefined): void {
    const joining = program.label("the program that joins");
    const child = program.slot("program's pid");
    program.fork(
      { operation: "clone the program that joins" },
      { child: joining, flags: Signal.SIGCHLD, result: child },
    );
    program.apart(() => {
      const allSignals = program.bytes(new Uint8Array(SIGNAL_SET_SIZE).fill(0xff));
      program.call("rt_sigprocmask", [SIG_SETMASK, allSignals, 0, SIGNAL_SET_SIZE], WHAT);
      program.call("setsid", [], WHAT, { ignore: [Errno.EPERM] });
      program.call("chdir", [program.text("/")], WHAT);
      program.call("waitid", [WaitFor.PID, child, 0, WaitOption.WEXITED | WaitOption.ALL, 0], WHAT);
      program.call("write", [this.#theirs.number, program.text("."), 1], WHAT, { ignore: "any" });
      const CLOSE_RANGE_CLOEXEC = 4;
      program.call("close_range", [0, 0xffff_ffff, CLOSE_RANGE_CLOEXEC], WHAT);
      program.call("dup3", [this.#theirs.number, REAPER_SOCKET, 0], WHAT);
      const words = program.texts([REAPER_NAME]);
      program.call("execveat", [this.#reaper.number, program.text(""), words, program.texts([]), AT_EMPTY_PATH], WHAT);
    });
    program.place(joining);
    if (cgroup !== undefined) joinGroup(program, cgroup);
  }

  /**
   * Waits until the program that joins has left.
   * @param successor the slot with the pid of what it has cloned
   * @throws BunkerError: what the program failed with
   */
  awaitSuccessor(conversation: Conversation, successor: Slot): { pid: number; pidfd: FileDescriptor } {
    this.#theirs.close();
    expectByte({ ...conversation, socket: this.#ours });
    const pid = conversation.program.read(successor);
    if (pid === 0) throw failureOf(conversation);
    return { pid, pidfd: openProcess(pid) };
  }

  /** Lets the parent go: it reaps from now on. */
  [Symbol.dispose](): void {
    this.#ours.close();
    this.#theirs.close();
    this.#reaper.close();
  }
}

/** Emits what CLONE_INTO_CGROUP does for a process that is launched there. */
function joinGroup(program: LaunchProgram, cgroup: number): void {
  const what = { operation: "enter the container's cgroup" };
  const file = program.slot("cgroup.procs");
  const { O_CLOEXEC, O_WRONLY } = OpenFlag;
  program.call("openat", [cgroup, program.text("cgroup.procs"), O_WRONLY | O_CLOEXEC], what, { result: file });
  program.call("write", [file, program.text("0"), 1], what);
  program.call("close", [file], what);
  program.release(file);
}
