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
 * @returns a function that waits for its end
 */
export function spawnInternal(
  reactor: Reactor,
  words: readonly string[],
  onEnd: (end: ReturnType<typeof waitForExit>) => void,
): () => void {
  const child = Bun.spawn({ ...internalCommand(words), stdio: ["ignore", "ignore", "ignore"] });
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
