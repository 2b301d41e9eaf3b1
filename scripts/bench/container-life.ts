/*
 * The commands that a container in the background meets, from `run -d` to `rm`, of Bunker and of Podman in turns; lists of
 * one container and of a hundred; a hundred that are started in a row, with the memory that they take, and all at once;
 * and the reading of a long log.
 */
import { median, table } from "./measure.ts";
import { type Engine, enginesOf, MEMORY_HEAD, memoryRow, removeAll, sleeperWords } from "./memory.ts";
import type { Workplace } from "./workplace.ts";

const MANY = 100;
const MEMORY_COUNTS = [1, 10, MANY];
const LOG_SIZE = 100_000_000;

/** Times of one command by name, in milliseconds. */
type Times = Map<string, number[]>;

export async function measureLife(workplace: Workplace, rounds: number): Promise<string> {
  workplace.makeImage();
  workplace.preparePodman();
  const engines = enginesOf(workplace);
  const measured = engines.map((): Times => new Map());
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < engines.length; turn++) {
      const index = (turn + round + 1) % engines.length;
      const engine = engines[index];
      const times = measured[index];
      if (engine !== undefined && times !== undefined) liveOnce(workplace, engine, round < 0 ? new Map() : times);
    }
  }
  const memory: (readonly string[])[] = [];
  const failures: string[] = [];
  for (const [index, engine] of engines.entries()) {
    const times = measured[index] ?? new Map();
    measureLog(workplace, engine, times);
    memory.push(...measureMany(workplace, engine, times, rounds));
    failures.push(`${engine.name} ${await measureAtOnce(workplace, engine, times)}`);
  }
  const [own = new Map<string, number[]>(), peer = new Map<string, number[]>()] = measured;
  const rows = [...own].map(([name, times]) => {
    const others = peer.get(name);
    if (others === undefined) return [name, median(times).toFixed(1), "", ""];
    const ratio = median(others) / median(times);
    return [name, median(times).toFixed(1), median(others).toFixed(1), ratio.toFixed(1)];
  });
  return [
    table(["", "bunker, ms", "podman, ms", "times as fast"], rows),
    `Of ${MANY} at once failed: ${failures.join(", ")}.`,
    table(MEMORY_HEAD, memory),
  ].join("\n\n");
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

/** A long log. */
function measureLog(workplace: Workplace, { client, image }: Engine, times: Times): void {
  const writer = `busybox yes 0123456789012345678901234567890123456789012345678901234567890 | busybox head -c ${LOG_SIZE}`;
  const id = timed(times, "run of what writes 100 MB", () => {
    const started = workplace.run(client, "run", "-d", "--network", "none", image, "sh", "-c", writer).trim();
    workplace.run(client, "wait", started);
    return started;
  });
  timed(times, "logs of 100 MB", () => workplace.run(client, "logs", id));
  workplace.run(client, "rm", id);
}

/**
 * A hundred containers, one after the other.
 * @returns rows for the table of memory
 */
function measureMany(workplace: Workplace, engine: Engine, times: Times, rounds: number): (readonly string[])[] {
  const { client } = engine;
  const memory: (readonly string[])[] = [];
  let spent = 0;
  for (let count = 1; count <= MANY; count++) {
    const before = performance.now();
    workplace.run(client, ...sleeperWords(engine));
    spent += performance.now() - before;
    if (MEMORY_COUNTS.includes(count)) memory.push(memoryRow(engine, count));
  }
  times.set(`run -d, ${MANY} in a row`, [spent]);
  for (let round = 0; round < rounds; round++) {
    timed(times, `ps, ${MANY} containers`, () => workplace.run(client, "ps"));
  }
  // Podman has no figures without cgroups.
  if (engine.name === "bunker")
    timed(times, `stats --no-stream, ${MANY} containers`, () => workplace.run(client, "stats", "--no-stream"));
  timed(times, `rm -f of ${MANY}`, () => removeAll(workplace, client));
  return memory;
}

/**
 * A hundred containers, all at once.
 * @returns how many could not be started
 */
async function measureAtOnce(workplace: Workplace, engine: Engine, times: Times): Promise<number> {
  const words = [engine.client, ...sleeperWords(engine)];
  const before = performance.now();
  const outcomes = await Promise.allSettled(Array.from({ length: MANY }, () => workplace.runBeside(...words)));
  times.set(`run -d, ${MANY} at once`, [performance.now() - before]);
  removeAll(workplace, engine.client);
  return outcomes.filter(({ status }) => status === "rejected").length;
}

function timed<Result>(times: Times, name: string, work: () => Result): Result {
  const before = performance.now();
  const result = work();
  times.set(name, [...(times.get(name) ?? []), performance.now() - before]);
  return result;
}
