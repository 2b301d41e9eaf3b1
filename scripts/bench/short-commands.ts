/*
 * The commands that are called most and do least, `exec` and `ps`, with what they could take at least: the start of a
 * compiled program, and throw-away programs with almost no JavaScript. For `ps` one reads the same rows of the same
 * database, asks for supervisors by the same calls and prints a line for each container; for `exec` one reads the
 * container's row and configuration and has nsenter(1) execute the command.
 *
 * All of them run in every round, and each round begins with another one. On a machine that is busy the least is what
 * tells most, and of processor time more than by the clock.
 */
import { join } from "node:path";
import { compileProgram } from "./compile-program.ts";
import { median, table } from "./measure.ts";
import { enginesOf, sleeperWords } from "./memory.ts";
import type { Workplace } from "./workplace.ts";

const MANY = 100;

/** Opens the database of the data directory in `data` as Bunker does; what both throw-away programs begin with. */
const BARE_DATABASE = `
import { constants, Database } from "bun:sqlite";
import { dlopen, ptr } from "bun:ffi";
const [read, open, fcntl] = process.arch === "x64" ? [0, 257, 72] : [63, 56, 25];
const integer = "i64_fast";
const { syscall } = dlopen("libc.so.6", {
  syscall: { args: [integer, integer, integer, integer, integer], returns: integer },
}).symbols;
const lock = new ArrayBuffer(32);
const view = new DataView(lock);
const address = ptr(lock);
const range = (kind: number, start: number, length: number) => {
  view.setInt16(0, kind, true);
  view.setBigInt64(8, BigInt(start), true);
  view.setBigInt64(16, BigInt(length), true);
};
const opened = (path: string) => {
  const name = new TextEncoder().encode(path + "\\0").buffer;
  return Number(syscall(open, -100, ptr(name), 0o2000000, 0));
};
const data = process.argv[2];
const reader = opened(data + "/state.db");
range(0, 0x40000002, 510);
syscall(fcntl, reader, 37, address, 0);
const database = new Database(data + "/state.db", constants.SQLITE_OPEN_READWRITE);
database.run("PRAGMA busy_timeout = 30000");
database.query("SELECT * FROM component").all();
`;

/** `ps` without what makes it Bunker's: list-outlines.ts, state-database.ts, supervised-containers.ts. */
const BARE_LIST = `${BARE_DATABASE}
const rows = database.query(
  "SELECT id, name, created, status, started, finished, exit_status, image, command, ports, exposed_ports " +
    "FROM container ORDER BY created DESC, id",
).all();
const supervisors = opened(data + "/supervisors.lock");
let text = "";
for (const { id, image, name } of rows) {
  range(1, Number.parseInt(id.slice(0, 13), 16), 1);
  syscall(fcntl, supervisors, 36, address, 0);
  text += id.slice(0, 12) + "   " + image + "   " + (view.getInt16(0, true) === 2 ? "Exited" : "Up") + "   " + name + "\\n";
}
console.log(text);
database.close();
process.exit(0);
`;

/**
 * `exec` likewise, which leaves to nsenter(1) what the launch program does. It records no events, and its process has the
 * rights, limits and filter of the caller.
 */
const BARE_EXEC = `${BARE_DATABASE}
const { id, pid, definition } = database.query("SELECT * FROM container WHERE name = 'bench'").get();
const storage = new ArrayBuffer(16384);
const length = Number(syscall(read, opened(data + "/containers/" + id + "/config.json"), ptr(storage), 16384, 0));
const { process: model } = JSON.parse(new TextDecoder().decode(new Uint8Array(storage, 0, length)));
JSON.parse(definition);
const namespaces = ["--user", "--mount", "--pid", "--net", "--ipc", "--uts"];
const { exitCode, stdout } = Bun.spawnSync(
  ["/usr/bin/nsenter", "--target", String(pid), ...namespaces, "--preserve-credentials", "/bin/true"],
  { env: Object.fromEntries(model.env.map((entry: string) => entry.split("="))), stdio: ["ignore", "pipe", "pipe"] },
);
if (stdout.length > 0) console.log(stdout.toString());
database.close();
process.exit(exitCode);
`;

/** What is measured, with the times of its rounds in milliseconds. */
interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly elapsed: number[];
  readonly processor: number[];
}

export async function measureShortCommands(workplace: Workplace, rounds: number): Promise<string> {
  workplace.makeImage();
  workplace.preparePodman();
  const [own, podman] = enginesOf(workplace);
  if (own === undefined || podman === undefined) throw new Error("an engine is missing");
  const { bunker, directory, environment } = workplace;
  const few = { ...environment, XDG_DATA_HOME: join(directory, "home/few") };
  const many = { ...environment, XDG_DATA_HOME: join(directory, "home/many") };
  const bareExec = compileProgram(workplace, "bare-exec", BARE_EXEC);
  const bareList = compileProgram(workplace, "bare-list", BARE_LIST);
  const hello = compileProgram(workplace, "hello", 'console.log("Hello, world");\n');
  const contender = (name: string, command: readonly string[], variables: Contender["environment"]): Contender => {
    return { name, command, environment: variables, elapsed: [], processor: [] };
  };
  const contenders = [
    contender("hello world", [hello], environment),
    contender("bunker version", [bunker, "version"], environment),
    contender("exec of true", [bunker, "exec", "bench", "true"], few),
    contender("exec of true, bare", [bareExec, `${few.XDG_DATA_HOME}/bunker`], environment),
    contender("exec of true, Podman", ["podman", "exec", "bench", "true"], environment),
    contender("ps, 1 container", [bunker, "ps"], few),
    contender("ps, 1 container, bare", [bareList, `${few.XDG_DATA_HOME}/bunker`], environment),
    contender("ps, 1 container, Podman", ["podman", "ps"], environment),
    contender(`ps, ${MANY} containers`, [bunker, "ps"], many),
    contender(`ps, ${MANY} containers, bare`, [bareList, `${many.XDG_DATA_HOME}/bunker`], environment),
  ];
  const start = (client: string, words: readonly string[], variables: Contender["environment"]) => {
    const { success, stderr } = Bun.spawnSync([client, ...words], { env: variables, stdin: "ignore", stderr: "pipe" });
    if (!success) throw new Error(`${client} ${words.join(" ")}: ${stderr}`);
  };
  const [command = "", ...rest] = sleeperWords(own);
  start(bunker, [command, "--name", "bench", ...rest], few);
  const [podmanCommand = "", ...podmanRest] = sleeperWords(podman);
  start("podman", [podmanCommand, "--name", "bench", ...podmanRest], environment);
  for (let count = 0; count < MANY; count++) start(bunker, sleeperWords(own), many);
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const next = contenders[(turn + round + 1) % contenders.length];
      if (next !== undefined) run(next, round >= 0);
    }
  }
  for (const variables of [few, many]) {
    const ids = Bun.spawnSync([bunker, "ps", "-aq"], { env: variables }).stdout.toString().split("\n").filter(Boolean);
    start(bunker, ["rm", "--force", ...ids], variables);
  }
  const version = contenders[1];
  const rows = contenders.map(({ name, elapsed, processor }) => {
    const ratio = median(elapsed.map((time, round) => time / (version?.elapsed[round] ?? Number.NaN)));
    const figures = [median(elapsed), Math.min(...elapsed), Math.min(...processor)];
    return [name, ...figures.map((figure) => figure.toFixed(1)), ratio.toFixed(2)];
  });
  return table(["", "median, ms", "least, ms", "least of processor time, ms", "time, bunker version = 1"], rows);
}

function run({ command, environment, elapsed, processor }: Contender, isCounted: boolean): void {
  const before = performance.now();
  const { success, stderr, resourceUsage } = Bun.spawnSync([...command], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const after = performance.now();
  if (!success) throw new Error(`${command.join(" ")}: ${stderr}`);
  if (!isCounted) return;
  elapsed.push(after - before);
  processor.push(Number(resourceUsage?.cpuTime.total ?? Number.NaN) / 1000);
}
