/*
 * What a container costs as long as it lives: the memory of all processes besides the container's own.
 *
 * `private` is what only this process has and what its end would give back; `resident` counts pages that are shared with
 * other processes too, such as those of the executable. proc_pid_smaps(5)
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

/** The memory of `bunker run`, and of Podman's client and monitor, with one container each. */
async function foreground(command: readonly string[], environment: Workplace["environment"], monitorFile?: string) {
  const child = Bun.spawn([...command], { env: environment, stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  try {
    await reader.read();
    const monitor = monitorFile === undefined ? undefined : Number(readFileSync(monitorFile, "utf8"));
    return { client: memoryOf(child.pid), monitor: monitor === undefined ? undefined : memoryOf(monitor) };
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

/** How many processes of an OCI runtime live beside a container that it has created and started. */
function detached(workplace: Workplace, words: readonly string[], executable: string): number {
  const before = processesOf(executable).length;
  const bundle = workplace.makeBundle("sleeper", ["/bin/sleep", "1000"]);
  const runtime = [...words, "--root", join(workplace.directory, "state")];
  workplace.run(...runtime, "create", "--bundle", bundle, "bench");
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
  const add = (name: string, memory: Memory | undefined) => {
    if (memory !== undefined) samples.set(name, [...(samples.get(name) ?? []), memory]);
  };
  for (let round = 0; round < rounds; round++) {
    const own = await foreground([bunker, ...isolation, image, ...SLEEPER], environment);
    add("`bunker run`", own.client);
    const monitored = ["podman", ...isolation, "--conmon-pidfile", monitorFile, "localhost/bench", ...SLEEPER];
    const peer = await foreground(monitored, environment, monitorFile);
    add("`podman run`: podman", peer.client);
    add("`podman run`: conmon", peer.monitor);
    workplace.run("podman", "rm", "--all", "--force", "--time", "0");
  }
  const rows = [...samples].map(([name, memories]) => [
    name,
    (median(memories.map((memory) => memory.private)) / 1024).toFixed(1),
    (median(memories.map((memory) => memory.resident)) / 1024).toFixed(1),
  ]);
  const left = detached(workplace, [bunker, "runtime"], bunker);
  const size = (statSync(bunker).size / 1e6).toFixed(1);
  return [
    table(["process", "private, MiB", "resident, MiB"], rows),
    `Processes that stay after \`bunker runtime create\` and \`start\`: ${left}.`,
    `The executable has ${size} MB.`,
  ].join("\n\n");
}
