/* What the supervisor has others do, because it would need code or time for it: this executable again, as its child. */
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { waitForExit } from "../../sys/process.ts";
import { Event, openProcess, type Reactor } from "../../sys/reactor.ts";
import { internalCommand } from "../internal-command.ts";

const running = new Set<number>();

/** The pids of those that run now. */
export const ownChildren: ReadonlySet<number> = running;

/**
 * Starts `bunker internal …` without waiting for it.
 * @param onEnd called in the reactor when it has ended, with its exit status; undefined when a signal has killed it
 * @returns a function that waits for its end; undefined when the host permits no further process now, which is no reason
 * to give up the container
 */
export function spawnInternal(
  reactor: Reactor,
  words: readonly string[],
  onEnd: (exitStatus: number | undefined) => void,
): (() => void) | undefined {
  const started = spawned(words);
  if (started === undefined) return undefined;
  const { child, pidfd } = started;
  running.add(child.pid);
  const end = () => {
    if (!running.delete(child.pid)) return;
    reactor.remove(pidfd.number);
    pidfd.close();
    onEnd(awaitExitStatus(child));
  };
  reactor.add(pidfd.number, Event.IN, end);
  return end;
}

/** Between two rounds of the reactor, when code is loaded, Bun's own loop turns, and reaps what has ended by then. */
function awaitExitStatus({ pid, exitCode, signalCode }: Child): number | undefined {
  if (exitCode !== null || signalCode !== null) return exitCode ?? undefined;
  const end = waitForExit(pid);
  return "exitCode" in end ? end.exitCode : undefined;
}

type Child = Pick<Bun.Subprocess, "pid" | "exitCode" | "signalCode">;

function spawned(words: readonly string[]): { readonly child: Child; readonly pidfd: FileDescriptor } | undefined {
  let child: Bun.Subprocess;
  try {
    child = Bun.spawn({ ...internalCommand(words), stdio: ["ignore", "ignore", "ignore"] });
  } catch {
    return undefined;
  }
  try {
    return { child, pidfd: openProcess(child.pid) };
  } catch {
    // It has taken the last descriptor.
    child.kill("SIGKILL");
    awaitExitStatus(child);
    return undefined;
  }
}
