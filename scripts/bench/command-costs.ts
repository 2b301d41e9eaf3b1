/*
 * What commands cost that move much data: the time that passes, the processors' time, and the memory of their largest
 * process, of all processes that a command has started and waited for. The processors' time is disturbed less by what
 * else the machine does.
 *
 * As in measure.ts all contenders run in every round, each round begins with another one, and ratios are taken within the
 * rounds; there is no round that is not counted, since the commands take long, and some take minutes. Before each measurement everything is brought to the disk: who waits for
 * the disk must not wait for what another contender has left behind.
 */
import { median, table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

/** What is measured is the commands, one after the other; what makes them ready and what cleans up is not. */
export interface CommandContender {
  readonly name: string;
  /** @param round numbers the rounds, for names that nobody may have had */
  readonly commands: (round: number) => readonly (readonly string[])[];
  readonly prepare?: (round: number) => void;
  readonly clean?: (round: number) => void;
}

/** What one run of a contender has cost. */
export interface Cost {
  /** Milliseconds. */
  readonly elapsed: number;
  readonly processor: number;
  /** Bytes. */
  readonly memory: number;
}

/**
 * Measures contenders against the first of them.
 * @returns a table in Markdown
 */
export function compareCosts(
  workplace: Workplace,
  contenders: readonly CommandContender[],
  rounds: number,
): { readonly table: string /** The medians of the first one. */; readonly first: Cost } {
  const costs = contenders.map((): Cost[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + round) % contenders.length;
      const contender = contenders[index];
      if (contender === undefined) continue;
      contender.prepare?.(round);
      workplace.run("sync");
      const cost = measure(workplace, contender.commands(round));
      contender.clean?.(round);
      costs[index]?.push(cost);
    }
  }
  const first = costs[0] ?? [];
  const medianOf = (own: readonly Cost[], kind: keyof Cost) => median(own.map((cost) => cost[kind]));
  const rows = contenders.map(({ name }, index) => {
    const own = costs[index] ?? [];
    const ratio = (kind: keyof Cost) =>
      median(own.map((cost, round) => cost[kind] / (first[round]?.[kind] ?? Number.NaN))).toFixed(2);
    const memory = (medianOf(own, "memory") / 2 ** 20).toFixed(0);
    return [
      name,
      medianOf(own, "elapsed").toFixed(0),
      ratio("elapsed"),
      medianOf(own, "processor").toFixed(0),
      ratio("processor"),
      memory,
    ];
  });
  const head = ["", "median, ms", "time, bunker = 1", "processors, ms", "processors, bunker = 1", "memory, MiB"];
  return {
    table: table(head, rows),
    first: {
      elapsed: medianOf(first, "elapsed"),
      processor: medianOf(first, "processor"),
      memory: medianOf(first, "memory"),
    },
  };
}

/**
 * Runs a command and prints what it has cost. Measured from here, its memory would be that of this process at least, which
 * a child shares until it executes something; Python's is small.
 */
const METER = `
import json, resource, subprocess, sys, time
begun = time.monotonic()
ended = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
elapsed = time.monotonic() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
processor = used.ru_utime + used.ru_stime
print(json.dumps({"elapsed": elapsed * 1000, "processor": processor * 1000, "memory": used.ru_maxrss * 1024}))
sys.exit(ended.returncode)
`;

function measure(workplace: Workplace, commands: readonly (readonly string[])[]): Cost {
  const costs = commands.map((command): Cost => JSON.parse(workplace.run("python3", "-c", METER, ...command)));
  return {
    elapsed: costs.reduce((sum, { elapsed }) => sum + elapsed, 0),
    processor: costs.reduce((sum, { processor }) => sum + processor, 0),
    memory: Math.max(...costs.map(({ memory }) => memory)),
  };
}
