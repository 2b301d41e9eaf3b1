/*
 * Building images, against `buildah build` and `podman build`, each in a store of its own with the same base image.
 *
 * The build has five steps over 2000 small files. It is measured cold (nothing is taken from the cache), with everything in
 * the cache, and after one source file was changed. Two stages of equal length tell what is done at the same time: their
 * time is shown as a multiple of one stage's. Those that compute have to share the processors; how far these can be shared
 * at all is told by the same loops without any build. Those that wait show the order of things alone. Of a context of
 * 50 000 files it is measured what looking at it costs when nothing has changed, besides copying it once. The memory is the
 * most that one of the processes had.
 */
import { appendFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { median, table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

const BASE = "localhost/bench";
const SMALL_FILES = 2000;
const MANY_FILES = 50_000;
const FILES_PER_DIRECTORY = 500;
/** What a stage does for about a second. */
const COMPUTE = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done";
const WAIT = "busybox sleep 1";

const STAGES = [
  { title: "one stage that computes", count: 1, work: COMPUTE },
  { title: "two stages that compute", count: 2, work: COMPUTE },
  { title: "one stage that waits", count: 1, work: WAIT },
  { title: "two stages that wait", count: 2, work: WAIT },
];

interface Contender {
  readonly name: string;
  readonly build: (context: string, options: readonly string[]) => readonly string[];
}

/** A measurement: what is done before each, and with which options it is built. */
interface Task {
  readonly title: string;
  readonly context: string;
  readonly options: readonly string[];
  readonly prepare?: (round: number) => void;
  /** Rounds, where they are fewer than usual, and whether there is one before them that does not count. */
  readonly rounds?: number;
  readonly hasWarmUp?: boolean;
}

interface Cost {
  /** Milliseconds. */
  readonly elapsed: number;
  /** Bytes. */
  readonly memory: number;
}

/** Measures, and returns tables in Markdown. */
export async function measureBuild(workplace: Workplace, rounds: number): Promise<string> {
  workplace.makeImage();
  workplace.preparePodman();
  const { bunker } = workplace;
  workplace.run(bunker, "copy", "-q", workplace.image, BASE);
  const contenders: readonly Contender[] = [
    { name: "bunker build", build: (context, options) => [bunker, "build", "-q", "-t", "built", ...options, context] },
    {
      name: "podman build",
      build: (context, options) => ["podman", "build", "-q", "-t", "built", "--layers", ...options, context],
    },
    {
      name: "buildah build",
      build: (context, options) => [
        ...["buildah", "build", "-q", "--isolation", "chroot", "-t", "built", "--layers"],
        ...[...options, context],
      ],
    },
  ];
  const steps = stepsContext(workplace);
  const many = manyContext(workplace);
  const few = Math.max(1, Math.floor(rounds / 3));
  const once = { rounds: 1, hasWarmUp: false };
  const tasks: readonly Task[] = [
    { title: "cold", context: steps, options: ["--no-cache"] },
    { title: "everything in the cache", context: steps, options: [] },
    {
      title: "one changed source file",
      context: steps,
      options: [],
      prepare: (round) => appendFileSync(join(steps, "source", "main.c"), `// ${round}\n`),
    },
    ...STAGES.map(({ title, count, work }) => ({
      title,
      context: stagesContext(workplace, count, work),
      options: ["--no-cache"],
      rounds: few,
    })),
    // The others take minutes for them.
    { title: `${MANY_FILES} files, copied once`, context: many, options: ["--no-cache"], ...once },
    { title: `${MANY_FILES} files, unchanged, once`, context: many, options: [], ...once },
  ];
  const costs = tasks.map((task) => contenders.map((contender) => measureTask(workplace, task, contender, rounds)));
  const rows = tasks.map(({ title }, place) => {
    const own = costs[place] ?? [];
    const first = own[0]?.elapsed ?? Number.NaN;
    return [
      title,
      ...own.map(({ elapsed }) => elapsed.toFixed(0)),
      ...own.slice(1).map(({ elapsed }) => (elapsed / first).toFixed(1)),
    ];
  });
  const names = contenders.map(({ name }) => name);
  const head = ["", ...names.map((name) => `${name}, ms`), ...names.slice(1).map((name) => `${name}, bunker = 1`)];
  const ratios = (one: number) =>
    contenders.map((_, place) => {
      const [single, double] = [one, one + 1].map((stages) => {
        const task = tasks.findIndex(({ title }) => title === STAGES[stages]?.title);
        return costs[task]?.[place]?.elapsed ?? Number.NaN;
      });
      return ((double ?? Number.NaN) / (single ?? Number.NaN)).toFixed(2);
    });
  const most = contenders.map((_, place) => {
    const all = costs.map((own) => own[place]?.memory ?? 0);
    return (Math.max(...all) / 1e6).toFixed(0);
  });
  return [
    table(head, rows),
    table(
      ["", ...names],
      [
        ["two stages that compute, one = 1", ...ratios(0)],
        ["two stages that wait, one = 1", ...ratios(2)],
        ["most memory of a process, MB", ...most],
      ],
    ),
    `Two of these loops at once, without a build, take ${(loops(2) / loops(1)).toFixed(2)} times as long as one.`,
  ].join("\n\n");
}

/** The median time of so many of the computing stages' loops at once, in milliseconds. */
function loops(count: number): number {
  const all = Array.from({ length: count }, () => `busybox sh -c '${COMPUTE}' &`).join(" ");
  return median(
    Array.from({ length: 5 }, () => {
      const before = performance.now();
      Bun.spawnSync(["sh", "-c", `${all} wait`]);
      return performance.now() - before;
    }),
  );
}

function measureTask(workplace: Workplace, task: Task, { build }: Contender, rounds: number): Cost {
  const costs: Cost[] = [];
  for (let round = task.hasWarmUp === false ? 0 : -1; round < (task.rounds ?? rounds); round++) {
    task.prepare?.(round);
    const command = build(task.context, task.options);
    const before = performance.now();
    const result = Bun.spawnSync([...command], { env: workplace.environment, stdin: "ignore", stderr: "pipe" });
    if (!result.success) throw new Error(`${command.join(" ")}: exit status ${result.exitCode}\n${result.stderr}`);
    if (round >= 0) costs.push({ elapsed: performance.now() - before, memory: result.resourceUsage.maxRSS });
  }
  return {
    elapsed: median(costs.map(({ elapsed }) => elapsed)),
    memory: Math.max(...costs.map(({ memory }) => memory)),
  };
}

function stepsContext({ directory }: Workplace): string {
  const context = join(directory, "steps");
  writeMany(join(context, "data"), SMALL_FILES);
  mkdirSync(join(context, "source"));
  writeFileSync(join(context, "source", "main.c"), "int main(void) { return 0; }\n");
  writeFileSync(
    join(context, "Dockerfile"),
    [
      `FROM ${BASE}`,
      "WORKDIR /work",
      "COPY data data",
      'RUN ["/bin/busybox", "sh", "-c", "busybox find data -type f | busybox xargs busybox cat > all"]',
      "COPY source source",
      'RUN ["/bin/busybox", "sh", "-c", "busybox md5sum all source/main.c > sums"]',
      "",
    ].join("\n"),
  );
  return context;
}

function stagesContext({ directory }: Workplace, count: number, work: string): string {
  const context = mkdtempSync(join(directory, "stages-"));
  const names = Array.from({ length: count }, (_, index) => `stage${index}`);
  writeFileSync(
    join(context, "Dockerfile"),
    [
      ...names.flatMap((name) => [`FROM ${BASE} AS ${name}`, `RUN ${work}; echo ${name} > /${name}`]),
      `FROM ${BASE}`,
      ...names.map((name) => `COPY --from=${name} /${name} /`),
      "",
    ].join("\n"),
  );
  return context;
}

function manyContext({ directory }: Workplace): string {
  const context = join(directory, "many");
  writeMany(join(context, "data"), MANY_FILES);
  writeFileSync(join(context, "Dockerfile"), `FROM ${BASE}\nCOPY data /data\n`);
  return context;
}

function writeMany(directory: string, count: number): void {
  for (let number = 0; number < count; number++) {
    const below = join(directory, String(Math.floor(number / FILES_PER_DIRECTORY)));
    if (number % FILES_PER_DIRECTORY === 0) mkdirSync(below, { recursive: true });
    writeFileSync(join(below, String(number)), `file ${number}\n`.repeat(1 + (number % 50)));
  }
}
