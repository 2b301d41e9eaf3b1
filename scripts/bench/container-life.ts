/*
 * The commands that a container in the background meets, from `run -d` to `rm`, of Bunker and of Podman in turns; lists of
 * one container and of a hundred; and the reading of a long log.
 */
import { median, table } from "./measure.ts";
import { removeAll } from "./memory.ts";
import type { Workplace } from "./workplace.ts";

const MANY = 100;
const LOG_SIZE = 100_000_000;

interface Engine {
  readonly name: string;
  readonly client: string;
  readonly image: string;
}

/** Times of one command by name, in milliseconds. */
type Times = Map<string, number[]>;

export async function measureLife(workplace: Workplace, rounds: number): Promise<string> {
  workplace.makeImage();
  workplace.preparePodman();
  const engines: readonly Engine[] = [
    { name: "bunker", client: workplace.bunker, image: workplace.image },
    { name: "podman", client: "podman", image: "localhost/bench" },
  ];
  const measured = engines.map((): Times => new Map());
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < engines.length; turn++) {
      const index = (turn + round + 1) % engines.length;
      const engine = engines[index];
      const times = measured[index];
      if (engine !== undefined && times !== undefined) liveOnce(workplace, engine, round < 0 ? new Map() : times);
    }
  }
  for (const [index, engine] of engines.entries()) measureMany(workplace, engine, measured[index] ?? new Map(), rounds);
  const [own = new Map<string, number[]>(), peer = new Map<string, number[]>()] = measured;
  const rows = [...own].map(([name, times]) => {
    const others = peer.get(name) ?? [];
    const ratio = median(others) / median(times);
    return [name, median(times).toFixed(1), median(others).toFixed(1), ratio.toFixed(1)];
  });
  return table(["", "bunker, ms", "podman, ms", "times as fast"], rows);
}

function liveOnce(workplace: Workplace, { client, image }: Engine, times: Times): void {
  const time = (name: string, ...words: string[]) => timed(times, name, () => workplace.run(client, ...words));
  time("run -d", "run", "-d", "--name", "bench", "--network", "none", image, "sleep", "1000");
  time("exec of true", "exec", "bench", "true");
  time("ps, 1 container", "ps");
  time("inspect", "inspect", "bench");
  time("stop -t 0", "stop", "-t", "0", "bench");
  time("start", "start", "bench");
  time("restart -t 0", "restart", "-t", "0", "bench");
  time("kill", "kill", "bench");
  // Podman does not wait for the end of what it has killed.
  workplace.run(client, "wait", "bench");
  time("rm", "rm", "bench");
}

/** A hundred containers, and a long log. */
function measureMany(workplace: Workplace, { client, image }: Engine, times: Times, rounds: number): void {
  const words = ["run", "-d", "--network", "none", image];
  const writer = `busybox yes 0123456789012345678901234567890123456789012345678901234567890 | busybox head -c ${LOG_SIZE}`;
  const id = timed(times, "run of what writes 100 MB", () => {
    const started = workplace.run(client, ...words, "sh", "-c", writer).trim();
    workplace.run(client, "wait", started);
    return started;
  });
  timed(times, "logs of 100 MB", () => workplace.run(client, "logs", id));
  workplace.run(client, "rm", id);
  timed(times, `run -d, ${MANY} in a row`, () => {
    for (let count = 0; count < MANY; count++) workplace.run(client, ...words, "sleep", "1000");
  });
  for (let round = 0; round < rounds; round++) {
    timed(times, `ps, ${MANY} containers`, () => workplace.run(client, "ps"));
  }
  timed(times, `rm -f of ${MANY}`, () => removeAll(workplace, client));
}

function timed<Result>(times: Times, name: string, work: () => Result): Result {
  const before = performance.now();
  const result = work();
  times.set(name, [...(times.get(name) ?? []), performance.now() - before]);
  return result;
}
