/*
 * The commands that a container in the background meets, from `run -d` to `rm`, of Bunker and of Podman in turns, and of
 * crun and runc where they have the command; lists of one container and of a hundred; a hundred that are started in a row,
 * with the memory that they take, and all at once; the writing and the reading of a long log.
 */
import { join } from "node:path";
import { median, table } from "./measure.ts";
import { type Engine, enginesOf, MEMORY_HEAD, memoryRow, removeAll, sleeperWords } from "./memory.ts";
import type { Workplace } from "./workplace.ts";

const MANY = 100;
const MEMORY_COUNTS = [1, 10, MANY];
const LOG_LINE = "012345678901234567890123456789012345678901234567890123456789";
const LOG_SIZE = 100_000_000;
const WRITING = "run of what writes 100 MB";

/** Times of one command by name, in milliseconds. */
type Times = Map<string, number[]>;

/** A program, and how it goes through a container's life once. */
interface Contender {
  readonly name: string;
  readonly times: Times;
  readonly live: (times: Times) => void;
}

export async function measureLife(workplace: Workplace, rounds: number): Promise<string> {
  workplace.makeImage();
  workplace.preparePodman();
  const engines = enginesOf(workplace).map((engine) => ({
    ...engine,
    times: new Map<string, number[]>(),
    live: (times: Times) => liveOnce(workplace, engine, times),
  }));
  const bundle = workplace.makeBundle("sleeping", ["/bin/sleep", "1000"]);
  const runtimes = ["crun", "runc"].map((name) => ({
    name,
    times: new Map<string, number[]>(),
    live: (times: Times) => liveOnceBare(workplace, name, bundle, times),
  }));
  const contenders: readonly Contender[] = [...engines, ...runtimes];
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + round + 1) % contenders.length];
      contender?.live(round < 0 ? new Map() : contender.times);
    }
  }
  const memory: (readonly string[])[] = [];
  const failures: string[] = [];
  const rates: string[] = [];
  for (const engine of engines) {
    measureLog(workplace, engine, engine.times);
    rates.push(`${engine.name} ${Math.round(linesASecond(engine.times) / 1000)} 000`);
    const row = await measureInARow(workplace, engine, engine.times, rounds);
    memory.push(...row.memory);
    const atOnce = await measureAtOnce(workplace, engine, engine.times);
    failures.push(`${engine.name} ${row.failures} and ${atOnce}`);
  }
  const [own] = engines;
  const rows = [...(own?.times ?? [])].map(([name, times]) => {
    const others = contenders.slice(1).map((contender) => contender.times.get(name));
    const ratios = others.map((other) => (other === undefined ? "" : (median(other) / median(times)).toFixed(2)));
    const shown = others.map((other) => (other === undefined ? "" : median(other).toFixed(1)));
    return [name, median(times).toFixed(1), ...shown, ...ratios];
  });
  const peers = contenders.slice(1).map(({ name }) => name);
  return [
    table(
      ["", "bunker, ms", ...peers.map((name) => `${name}, ms`), ...peers.map((name) => `${name}, bunker = 1`)],
      rows,
    ),
    `Lines that were logged in a second: ${rates.join(", ")}.`,
    `Of ${MANY} failed in a row and at once: ${failures.join(", ")}.`,
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

/** The same with a runtime alone, in a bundle: `create` and `start` instead of an image, `state` instead of `inspect`. */
function liveOnceBare(workplace: Workplace, runtime: string, bundle: string, times: Times): void {
  const words = [runtime, "--root", join(workplace.directory, `state of ${runtime}`)];
  const time = (name: string, ...command: string[]) => timed(times, name, () => workplace.run(...words, ...command));
  timed(times, "run -d", () => workplace.runUnread(...words, "run", "--detach", "--bundle", bundle, "bench"));
  time("exec of true", "exec", "bench", "/bin/true");
  time("ps, 1 container", "list");
  time("inspect", "state", "bench");
  time("kill", "kill", "bench", "KILL");
  while (!workplace.run(...words, "state", "bench").includes("stopped"));
  time("rm", "delete", "bench");
}

/** A long log, in lines as long as many are. */
function measureLog(workplace: Workplace, { client, image }: Engine, times: Times): void {
  const writer = `busybox yes ${LOG_LINE} | busybox head -c ${LOG_SIZE}`;
  const id = timed(times, WRITING, () => {
    const started = workplace.run(client, "run", "-d", "--network", "none", image, "sh", "-c", writer).trim();
    workplace.run(client, "wait", started);
    return started;
  });
  timed(times, "logs of 100 MB", () => workplace.run(client, "logs", id));
  workplace.run(client, "rm", id);
}

function linesASecond(times: Times): number {
  const duration = median(times.get(WRITING) ?? []) - median(times.get("run -d") ?? []);
  return (LOG_SIZE / (LOG_LINE.length + 1) / duration) * 1000;
}

/** A hundred containers, one after the other. */
async function measureInARow(workplace: Workplace, engine: Engine, times: Times, rounds: number) {
  const { client } = engine;
  const memory: (readonly string[])[] = [];
  let spent = 0;
  let failures = 0;
  for (let count = 1; count <= MANY; count++) {
    const before = performance.now();
    await workplace.runBeside(client, ...sleeperWords(engine)).catch(() => failures++);
    spent += performance.now() - before;
    if (MEMORY_COUNTS.includes(count)) memory.push(memoryRow(engine, count));
  }
  times.set(`run -d, ${MANY} in a row`, [spent]);
  for (let round = 0; round < rounds; round++) {
    timed(times, `ps, ${MANY} containers`, () => workplace.run(client, "ps"));
  }
  // Podman has no figures without cgroups.
  if (engine.name === "bunker") {
    timed(times, `stats --no-stream, ${MANY} containers`, () => workplace.run(client, "stats", "--no-stream"));
  }
  timed(times, `rm -f of ${MANY}`, () => removeAll(workplace, engine));
  return { memory, failures };
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
  removeAll(workplace, engine);
  return outcomes.filter(({ status }) => status === "rejected").length;
}

function timed<Result>(times: Times, name: string, work: () => Result): Result {
  const before = performance.now();
  const result = work();
  times.set(name, [...(times.get(name) ?? []), performance.now() - before]);
  return result;
}
