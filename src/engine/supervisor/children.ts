/* What the supervisor has others do, because it would need code or time for it: this executable again, as its child. */
import { waitForExit } from "../../sys/process.ts";
import { Event, openProcess, type Reactor } from "../../sys/reactor.ts";
import { internalCommand } from "../internal-command.ts";

const running = new Set<number>();

/** The pids of those that run now. */
export const ownChildren: ReadonlySet<number> = running;

/**
 * Starts `bunker internal …` without waiting for it.
 * @param onEnd called in the reactor when it has ended, with its end
 * @returns a function that waits for its end; undefined when the host permits no further process now, which is no reason
 * to give up the container
 */
export function spawnInternal(
  reactor: Reactor,
  words: readonly string[],
  onEnd: (end: ReturnType<typeof waitForExit>) => void,
): (() => void) | undefined {
  const child = spawned(words);
  if (child === undefined) return undefined;
  running.add(child.pid);
  const pidfd = openProcess(child.pid);
  const end = () => {
    if (!running.delete(child.pid)) return;
    reactor.remove(pidfd.number);
    pidfd.close();
    onEnd(waitForExit(child.pid));
  };
  reactor.add(pidfd.number, Event.IN, end);
  return end;
}

function spawned(words: readonly string[]) {
  try {
    return Bun.spawn({ ...internalCommand(words), stdio: ["ignore", "ignore", "ignore"] });
  } catch {
    return undefined;
  }
}
