/*
 * Images on their way out of the store and into it, against Podman: save, load and push of one image with some 150 MB of
 * this machine's /usr/lib in one layer, and a container's changes as a layer.
 *
 * What an earlier measurement has left is removed before each, outside of the measured time. Podman unpacks what it
 * loads and packs what it saves and pushes, and writes everything through once more; Bunker keeps layers packed.
 */
import { mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diffLayer } from "../../src/image/layers/layer-diff.ts";
import { listChanges } from "../../src/image/layers/list-changes.ts";
import { packLayer } from "../../src/image/layers/pack-layer.ts";
import { DockerRegistry } from "../../test/docker-registry.ts";
import { median, table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

const IMAGE_SIZE = 150_000_000;
const NAME = "localhost/bench/moved:1";
const FILES = 50_000;
const FILES_PER_DIRECTORY = 500;
const CHANGED = 50;

interface Contender {
  readonly name: string;
  readonly command: (round: number) => readonly string[];
  readonly clean: (round: number) => readonly string[];
}

interface Cost {
  /** Milliseconds that pass, and of the processors. */
  readonly elapsed: number;
  readonly processor: number;
}

/** Measures, and returns tables in Markdown. */
export async function measureMovingImages(workplace: Workplace, rounds: number): Promise<string> {
  workplace.makeImage();
  workplace.preparePodman();
  const { bunker, directory } = workplace;
  const archive = join(directory, "moved.tar");
  makeImage(workplace, archive);
  workplace.run("podman", "load", "-q", "-i", archive);
  await using registry = await DockerRegistry.start();
  const [ours, theirs] = [join(directory, "ours.tar"), join(directory, "theirs.tar")];
  const target = (program: string, round: number) => `${registry.host}/${program}:${round + 1}`;
  const nothing = () => ["true"];
  const push = ["push", "-q", "--tls-verify=false", NAME];
  const tables: readonly (readonly [string, readonly Contender[]])[] = [
    [
      "save",
      [
        { name: "bunker save", command: () => [bunker, "save", "-o", ours, NAME], clean: () => ["rm", "-f", ours] },
        {
          name: "podman save",
          command: () => ["podman", "save", "-q", "-o", theirs, NAME],
          clean: () => ["rm", "-f", theirs],
        },
      ],
    ],
    [
      "load",
      [
        { name: "bunker load", command: () => [bunker, "load", "-i", archive], clean: () => [bunker, "rmi", NAME] },
        {
          name: "podman load",
          command: () => ["podman", "load", "-q", "-i", archive],
          clean: () => ["podman", "rmi", NAME],
        },
      ],
    ],
    [
      "push",
      [
        { name: "bunker push", command: (round) => [bunker, ...push, target("bunker", round)], clean: nothing },
        { name: "podman push", command: (round) => ["podman", ...push, target("podman", round)], clean: nothing },
      ],
    ],
  ];
  const sections = [];
  for (const [title, contenders] of tables) {
    // What is to be loaded must not be there; what is to be saved and pushed must.
    if (title === "load") for (const { clean } of contenders) workplace.run(...clean(0));
    sections.push(`${title}:`, compare(workplace, contenders, rounds));
    if (title === "load") for (const { command } of contenders) workplace.run(...command(0));
  }
  sections.push(`${CHANGED} changed files among ${FILES}, as a layer:`, await measureDiff(workplace, rounds));
  return sections.join("\n\n");
}

function makeImage(workplace: Workplace, archive: string): void {
  const [list, tar] = [join(workplace.directory, "moved-files"), join(workplace.directory, "moved-root.tar")];
  const find = 'find /usr/lib -xdev -type f -readable -printf "%s %P\\n" 2>/dev/null || true';
  let size = 0;
  const chosen = [];
  for (const line of workplace.run("sh", "-c", find).split("\n").sort()) {
    const space = line.indexOf(" ");
    if (space < 0 || size >= IMAGE_SIZE) continue;
    size += Number(line.slice(0, space));
    chosen.push(line.slice(space + 1));
  }
  writeFileSync(list, chosen.join("\n"));
  workplace.run("tar", "-C", "/usr/lib", "--numeric-owner", "--owner=0", "--group=0", "-cf", tar, "-T", list);
  workplace.run(workplace.bunker, "import", tar, NAME);
  workplace.run(workplace.bunker, "save", "-o", archive, NAME);
  rmSync(tar);
}

function compare(workplace: Workplace, contenders: readonly Contender[], rounds: number): string {
  const costs = contenders.map((): Cost[] => []);
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + round + 1) % contenders.length;
      const contender = contenders[index];
      if (contender === undefined) continue;
      const cost = measure(workplace, contender.command(round));
      workplace.run(...contender.clean(round));
      if (round >= 0) costs[index]?.push(cost);
    }
  }
  const first = costs[0] ?? [];
  const rows = contenders.map(({ name }, index) => {
    const own = costs[index] ?? [];
    const middle = (kind: keyof Cost) => median(own.map((cost) => cost[kind]));
    const ratio = (kind: keyof Cost) =>
      median(own.map((cost, round) => cost[kind] / (first[round]?.[kind] ?? Number.NaN))).toFixed(2);
    return [name, middle("elapsed").toFixed(0), ratio("elapsed"), middle("processor").toFixed(0), ratio("processor")];
  });
  return table(["", "median, ms", "time, bunker = 1", "processors, ms", "processors, bunker = 1"], rows);
}

function measure(workplace: Workplace, command: readonly string[]): Cost {
  const before = performance.now();
  const result = Bun.spawnSync([...command], { env: workplace.environment, stdin: "ignore", stderr: "pipe" });
  if (!result.success) throw new Error(`${command.join(" ")}: ${result.stderr}`);
  // Microseconds, of the process and of all that it has waited for.
  return { elapsed: performance.now() - before, processor: Number(result.resourceUsage.cpuTime.total) / 1000 };
}

/** The same 50 changes, above a layer with 50 000 files and above one with no others: the difference should be none. */
async function measureDiff(workplace: Workplace, rounds: number): Promise<string> {
  const [lower, few, upper] = ["lower", "few", "upper"].map((name) => join(workplace.directory, name));
  if (lower === undefined || few === undefined || upper === undefined) throw new Error("no directories");
  for (let file = 0; file < FILES; file++) {
    const isChanged = file % (FILES / CHANGED) === 0;
    for (const directory of isChanged ? [lower, few, upper] : [lower]) {
      const parent = join(directory, String(Math.floor(file / FILES_PER_DIRECTORY)));
      mkdirSync(parent, { recursive: true });
      writeFileSync(join(parent, String(file)), `file ${file} of ${directory}\n`);
    }
  }
  const open = (path: string) => openSync(path, "r");
  const [top, many, fewer] = [open(upper), open(lower), open(few)];
  const diff = async (below: number) => {
    const options = { latestTime: undefined, lose: () => {} };
    await packLayer(diffLayer(top, [below], options), "gzip", async () => {});
  };
  const works: readonly (readonly [string, () => unknown])[] = [
    [`layer, ${FILES} files below`, () => diff(many)],
    [`layer, ${CHANGED} files below`, () => diff(fewer)],
    [`list of changes, ${FILES} files below`, () => listChanges(top, [many])],
    ["GNU tar of the changes, gzip", () => workplace.run("tar", "-C", upper, "-czf", "/dev/null", ".")],
  ];
  const rows = [];
  for (const [name, work] of works) {
    const times = [];
    for (let round = -1; round < rounds; round++) {
      const before = performance.now();
      await work();
      if (round >= 0) times.push(performance.now() - before);
    }
    rows.push([name, median(times).toFixed(1)]);
  }
  return table(["", "median, ms"], rows);
}
