/*
 * What a container costs as long as it lives: the memory of all processes besides the container's own.
 *
 * `private` is what only this process has, and so what one more container costs: a second container always runs beside
 * the measured one, so that the pages of the executable are shared. `resident` counts these too. proc_pid_smaps(5)
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { median, table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

interface Memory {
  /** KiB. */
  readonly private: number;
  readonly resident: number;
}

/** Says that it is there, and stays. */
const SLEEPER = ["sh", "-c", "echo ready; exec sleep 1000"];

function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const value = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]);
  return { private: value("Private_Clean") + value("Private_Dirty"), resident: value("Rss") };
}

/** The processes that execute a file. */
function processesOf(executable: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`) === executable;
      } catch {
        // It has ended, or belongs to somebody else.
        return false;
      }
    });
}

/** An engine's client with a container that sleeps. */
async function startForeground(command: readonly string[], environment: Workplace["environment"]) {
  const child = Bun.spawn([...command], { env: environment, stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  await child.stdout.getReader().read();
  return {
    pid: child.pid,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** How many processes of Bunker live beside a container that `bunker runtime` has created and started. */
function detached(workplace: Workplace): number {
  const executable = workplace.bunker;
  const before = processesOf(executable).length;
  const bundle = workplace.makeBundle("sleeper", ["/bin/sleep", "1000"]);
  const runtime = [executable, "runtime", "--root", join(workplace.directory, "state")];
  // The container keeps the standard streams that it is created with, so they must not be pipes that somebody reads.
  const created = Bun.spawnSync([...runtime, "create", "--bundle", bundle, "bench"], {
    env: workplace.environment,
    stdio: ["ignore", "ignore", "ignore"],
  });
  if (!created.success) throw new Error(`runtime create: exit status ${created.exitCode}`);
  try {
    workplace.run(...runtime, "start", "bench");
    return processesOf(executable).length - before;
  } finally {
    workplace.run(...runtime, "delete", "--force", "bench");
  }
}

export async function measureMemory(workplace: Workplace, rounds: number): Promise<string> {
  const { bunker, directory, environment, image } = workplace;
  workplace.makeImage();
  workplace.preparePodman();
  const monitorFile = join(directory, "conmon.pid");
  const isolation = ["run", "--rm", "--network", "none"];
  const samples = new Map<string, Memory[]>();
  const add = (name: string, pid: number) => samples.set(name, [...(samples.get(name) ?? []), memoryOf(pid)]);
  const own = [bunker, ...isolation, image, ...SLEEPER];
  const peer = [...isolation, "localhost/bench", ...SLEEPER];
  for (let round = 0; round < rounds; round++) {
    await using _companion = await startForeground(own, environment);
    await using measured = await startForeground(own, environment);
    add("`bunker run`", measured.pid);
    await using _peerCompanion = await startForeground(["podman", ...peer], environment);
    await using peerMeasured = await startForeground(
      ["podman", ...peer.slice(0, 1), "--conmon-pidfile", monitorFile, ...peer.slice(1)],
      environment,
    );
    add("`podman run`: podman", peerMeasured.pid);
    add("`podman run`: conmon", Number(readFileSync(monitorFile, "utf8")));
    workplace.run("podman", "rm", "--all", "--force", "--time", "0");
  }
  const rows = [...samples].map(([name, memories]) => [
    name,
    (median(memories.map((memory) => memory.private)) / 1024).toFixed(1),
    (median(memories.map((memory) => memory.resident)) / 1024).toFixed(1),
  ]);
  const left = detached(workplace);
  const size = (statSync(bunker).size / 1e6).toFixed(1);
  return [
    table(["process", "private, MiB", "resident, MiB"], rows),
    `Processes that stay after \`bunker runtime create\` and \`start\`: ${left}.`,
    `The executable has ${size} MB.`,
  ].join("\n\n");
}
