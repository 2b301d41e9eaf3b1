/*
 * Timing of commands against each other.
 *
 * All contenders run once in every round, and each round begins with another one: so whatever else the machine does,
 * and whatever one of them leaves in the caches, meets all of them alike. Ratios are taken within the rounds, and then
 * their median. A first round is not counted.
 */

/** A command that is measured from its start to its end. */
export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs a command to its end. */
export function runToEnd({ command, environment }: Omit<Contender, "name">): string {
  const result = Bun.spawnSync([...command], { env: environment, stdin: "ignore", stderr: "pipe" });
  if (!result.success) {
    throw new Error(`${command.join(" ")}: exit status ${result.exitCode}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout.toString();
}

/**
 * Measures commands against the first of them.
 * @returns a table in Markdown
 */
export function compare(contenders: readonly Contender[], rounds: number): string {
  const times = contenders.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + round + 1) % contenders.length;
      const contender = contenders[index];
      if (contender === undefined) continue;
      const before = performance.now();
      runToEnd(contender);
      if (round >= 0) times[index]?.push(performance.now() - before);
    }
  }
  const first = times[0] ?? [];
  const rows = contenders.map(({ name }, index) => {
    const own = times[index] ?? [];
    const ratio = median(own.map((time, round) => time / (first[round] ?? Number.NaN)));
    return [name, median(own).toFixed(1), Math.min(...own).toFixed(1), index === 0 ? "1" : ratio.toFixed(2)];
  });
  return table(["", "median, ms", "least, ms", `time, ${contenders[0]?.name} = 1`], rows);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const pair = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return pair.reduce<number>((sum, value) => sum + (value ?? Number.NaN) / 2, 0);
}

/** A table in Markdown; all columns but the first are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map((_, index) => (index === 0 ? "---" : "---:")), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
