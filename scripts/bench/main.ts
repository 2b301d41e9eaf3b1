/*
 * Benchmarks against other programs: `bun run bench NAME [ROUNDS]`; without a name it lists them. The report is
 * Markdown, for docs/benchmarks.md.
 *
 * Everything is measured as an ordinary user, because that is whom Bunker is for. Called by root, the program starts
 * itself again as the user bunker-test, whom scripts/test makes; as-ordinary-user.ts.
 */
import { cpus, release } from "node:os";
import { join } from "node:path";
import { DIRECTORY_VARIABLE, runAsOrdinaryUser } from "./as-ordinary-user.ts";
import { Workplace } from "./workplace.ts";

interface Benchmark {
  readonly summary: string;
  readonly rounds: number;
  /** What there are so many of, if not rounds. */
  readonly unit?: string;
  /** Commands that say the versions of the other programs. */
  readonly peers: readonly (readonly string[])[];
  /** Measures, and returns the report; part by part where each takes long. */
  readonly measure: (workplace: Workplace, rounds: number) => Promise<string | AsyncIterable<string>>;
  /** Measures what only root can, and returns the rest of the report. */
  readonly measureAsRoot?: (rounds: number) => Promise<string>;
}

const podman = ["podman", "--version"];
const crun = ["crun", "--version"];
const runc = ["runc", "--version"];
const bubblewrap = ["bwrap", "--version"];

const benchmarks: Readonly<Record<string, Benchmark>> = {
  run: {
    summary: "`bunker run` of /bin/true in an image, against Podman, crun, runc and bubblewrap",
    rounds: 30,
    peers: [podman, crun, runc, bubblewrap],
    measure: async (...task) => (await import("./container-start.ts")).measureRun(...task),
  },
  runtime: {
    summary: "`bunker runtime run` of /bin/true in a bundle, against crun and runc",
    rounds: 30,
    peers: [crun, runc],
    measure: async (...task) => (await import("./container-start.ts")).measureRuntime(...task),
  },
  pull: {
    summary: "`bunker pull` from a registry on loopback, against Podman, and skopeo with umoci",
    rounds: 3,
    peers: [podman, ["skopeo", "--version"], ["umoci", "--version"]],
    measure: async (...task) => (await import("./pull.ts")).measurePull(...task),
  },
  start: {
    summary: "the start of `bunker` itself, against a compiled hello world",
    rounds: 50,
    peers: [],
    measure: async (...task) => (await import("./program-start.ts")).measureProgramStart(...task),
  },
  life: {
    summary: "the commands on containers in the background, against Podman, crun and runc",
    rounds: 5,
    peers: [podman, crun, runc],
    measure: async (...task) => (await import("./container-life.ts")).measureLife(...task),
  },
  short: {
    summary: "`exec` and `ps`, against Podman and against what such a program takes at least",
    rounds: 30,
    peers: [podman],
    measure: async (...task) => (await import("./short-commands.ts")).measureShortCommands(...task),
  },
  memory: {
    summary: "the executable's size, and the memory of what lives as long as a container",
    rounds: 5,
    peers: [podman, crun],
    measure: async (workplace) => (await import("./memory.ts")).measureMemory(workplace),
  },
  network: {
    summary: "the network stack, against slirp4netns and pasta; needs Debian's slirp4netns, passt and iperf3",
    rounds: 3,
    peers: [
      ["slirp4netns", "--version"],
      ["pasta", "--version"],
      ["iperf3", "--version"],
    ],
    measure: async (...task) => (await import("./network.ts")).measureNetwork(...task),
  },
  soak: {
    summary: "the network stack under load for ROUNDS minutes: bytes hashed at both ends, connections, datagrams",
    rounds: 60,
    unit: "minutes",
    peers: [],
    measure: async (...task) => (await import("./soak.ts")).soak(...task),
  },
  shared: {
    summary: "a network that two containers share, against veth devices and the loopback; needs Debian's iperf3",
    rounds: 3,
    peers: [["iperf3", "--version"]],
    measure: async (...task) => (await import("./shared-network.ts")).measureSharedNetwork(...task),
  },
  build: {
    summary: "`bunker build`, against Podman and Buildah",
    rounds: 5,
    peers: [podman, ["buildah", "--version"]],
    measure: async (...task) => (await import("./build.ts")).measureBuild(...task),
  },
  resources: {
    summary: "what limits cost and whether they hold, here and, as root, in the laptop of the tests",
    rounds: 10,
    peers: [podman],
    measure: async (...task) => (await import("./resources.ts")).measureResourcesHere(...task),
    measureAsRoot: async (rounds) => (await import("./resources.ts")).measureResourcesInLaptop(rounds),
  },
  images: {
    summary: "`bunker save`, `load`, `push`, `diff`, `commit` and `images`, against Podman",
    rounds: 3,
    peers: [podman],
    measure: async (...task) => (await import("./move-images.ts")).measureMovingImages(...task),
  },
};

const root = join(import.meta.dir, "../..");
const BUILT = "BUNKER_BENCH_BUILT";

function build(): void {
  const built = Bun.spawnSync([process.execPath, join(root, "scripts/build.ts")], { stdio: ["ignore", 2, 2] });
  if (!built.success) process.exit(1);
}

function describeMachine(peers: Benchmark["peers"]): string {
  const versions = peers.map(
    (command) =>
      Bun.spawnSync([...command])
        .stdout.toString()
        .split("\n")[0],
  );
  const processors = `${cpus().length} processors (${cpus()[0]?.model.trim() ?? "unknown"})`;
  return [processors, `Linux ${release()}`, `Bun ${Bun.version}`, ...versions].join(", ");
}

const [name = "", count] = process.argv.slice(2);
const benchmark = benchmarks[name];
if (benchmark === undefined) {
  const lines = Object.entries(benchmarks).map(([key, { summary }]) => `  ${key.padEnd(9)} ${summary}`);
  console.log(["Usage: bun run bench NAME [ROUNDS]", "", ...lines].join("\n"));
  process.exit(name === "" ? 0 : 2);
}
const rounds = count === undefined ? benchmark.rounds : Number(count);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`ROUNDS must be a number from 1 on, not ${count}`);
  process.exit(2);
}
if (process.env[BUILT] === undefined) build();
if (process.getuid?.() === 0) {
  const again = [process.execPath, import.meta.path, ...process.argv.slice(2)];
  const status = await runAsOrdinaryUser(again, { [BUILT]: "1" });
  if (status === 0 && benchmark.measureAsRoot !== undefined) console.log(`\n${await benchmark.measureAsRoot(rounds)}`);
  process.exit(status);
}
using workplace = new Workplace(join(root, "dist/bunker"), process.env[DIRECTORY_VARIABLE]);
console.log(
  `## bun run bench ${name}\n\n${describeMachine(benchmark.peers)}; ${benchmark.unit ?? "rounds"}: ${rounds}.`,
);
const report = await benchmark.measure(workplace, rounds);
for await (const part of typeof report === "string" ? [report] : report) console.log(`\n${part}`);
