/*
 * Theory of operation: the processes of a container without a pid namespace of its own.
 *
 * In a pid namespace of its own a container ends as a whole: the kernel kills everything in it with its first process.
 * A container in the host's (`--pid host`) may leave processes behind, which Docker kills through the container's
 * control group. Without one, whoever has launched the container becomes a child subreaper, prctl(2): from then on a
 * process below it whose parent ends becomes its child, instead of a child of the host's init. So when the first process
 * of the container has ended, what is left of the container is below us, and by killing our children, and then those
 * that became ours by that, all of it is reached, until we have no children any more.
 *
 * What this guarantees: nothing that descends from the container's first process survives an orderly end, whatever it
 * did about its session, its parent or its signals; the right to kill it we have as the owner of its user namespace.
 * What it does not: if we are killed ourselves, the kernel kills the first process along, but the others go to the host's
 * init, and without a control group nobody knows whose they were. And a process that forks faster than we kill is not
 * caught up with, since nothing can freeze it. Only a control group can do better.
 *
 * Children that this process had from the beginning (the program that it was before an exec may have started some), and
 * those that it starts itself, are not the container's, and are left alone.
 */
import { SignalPipe } from "../launch/signal-pipe.ts";
import { Errno } from "../sys/errno.ts";
import { allocate } from "../sys/memory.ts";
import { directoryNames } from "../sys/named-file.ts";
import { ChildInformation, SIGNAL_INFORMATION_SIZE, WaitFor, WaitOption, waitForExit } from "../sys/process.ts";
import { processStatus } from "../sys/process-identity.ts";
import { Event, type Reactor } from "../sys/reactor.ts";
import { Signal } from "../sys/signal.ts";
import { check, SystemCall, systemCall } from "../sys/system-call.ts";

const PR_SET_CHILD_SUBREAPER = 36;

/**
 * Takes what a container leaves behind for this process's own; see the head of this file. Disposing it, when the
 * container's first process has ended, kills what there still is and waits for it.
 */
export class Orphans implements Disposable {
  readonly #others: ReadonlySet<number>;
  readonly #information = allocate(SIGNAL_INFORMATION_SIZE);
  readonly #cleanup = new DisposableStack();

  /**
   * At most one at a time.
   * @param others the children that are not the container's, each for as long as it is in the set; without it, to be made
   * before there is a container: those that this process has now
   */
  constructor(others: ReadonlySet<number> = new Set(children())) {
    this.#others = others;
    setSubreaper(true);
  }

  /**
   * Reaps orphans that end while the container runs, so that they do not stay zombies as long as it does.
   * @param attended the child that somebody else waits for: the container's first process
   */
  watch(reactor: Reactor, attended: number): void {
    // Not earlier than this: a signal that is handled interrupts calls, which whoever launches does not expect.
    const signals = this.#cleanup.use(new SignalPipe([Signal.SIGCHLD]));
    reactor.add(signals.descriptor, Event.IN, () => {
      while (signals.next() !== undefined);
      this.#reap(attended);
    });
    this.#reap(attended);
  }

  [Symbol.dispose](): void {
    this.#cleanup.dispose();
    for (;;) {
      const orphans = children().filter((pid) => !this.#others.has(pid));
      if (orphans.length === 0) break;
      // A child that nobody has waited for keeps its pid, so this cannot meet another process.
      for (const pid of orphans) systemCall(SystemCall.kill, pid, Signal.SIGKILL);
      for (const pid of orphans) waitForExit(pid);
    }
    setSubreaper(false);
  }

  #reap(attended: number): void {
    const { address, view } = this.#information;
    const { WEXITED, WNOHANG, WNOWAIT, ALL } = WaitOption;
    for (;;) {
      view.setInt32(ChildInformation.pid, 0, true);
      const options = WEXITED | WNOHANG | WNOWAIT | ALL;
      const result = systemCall(SystemCall.waitid, WaitFor.ALL, 0, address, options, 0);
      const pid = view.getInt32(ChildInformation.pid, true);
      // One that somebody else waits for, and will soon have reaped. What stands behind it is reaped at the next signal.
      if (result === -Errno.ECHILD || pid === 0 || pid === attended || this.#others.has(pid)) return;
      check(result, "look for processes that have ended");
      waitForExit(pid);
    }
  }
}

function setSubreaper(value: boolean): void {
  check(systemCall(SystemCall.prctl, PR_SET_CHILD_SUBREAPER, value ? 1 : 0, 0, 0, 0), "adopt orphans");
}

/** The pids of this process's children that have not ended. */
function children(): number[] {
  return directoryNames("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => processStatus(pid)?.parent === process.pid);
}
