/*
 * What a container costs as long as it lives: the memory of all processes besides the container's own.
 *
 * `private` is what only these processes have; Pss also counts their part of what several have, above all of the
 * executable. With one container alone all of that is its own. proc_pid_smaps(5)
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

interface Memory {
  /** KiB. */
  readonly private: number;
  readonly proportional: number;
  readonly resident: number;
}

const COUNTS = [1, 10, 100];

const SLEEPER = ["sleep", "1000"];

/** So many are started at once while only their number matters. */
const AT_ONCE = 8;

function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const value = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]);
  return {
    private: value("Private_Clean") + value("Private_Dirty"),
    proportional: value("Pss"),
    resident: value("Rss"),
  };
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

/** How many processes of Bunker live beside a container that `bunker runtime` has created and started. */
function detached(workplace: Workplace): number {
  const executable = workplace.bunker;
  const before = processesOf(executable).length;
  const bundle = workplace.makeBundle("sleeper", ["/bin/sleep", "1000"]);
  const runtime = [executable, "runtime", "--root", join(workplace.directory, "state")];
  workplace.runUnread(...runtime, "create", "--bundle", bundle, "bench");
  try {
    workplace.run(...runtime, "start", "bench");
    return processesOf(executable).length - before;
  } finally {
    workplace.run(...runtime, "delete", "--force", "bench");
  }
}

/** An engine, and which of its processes live as long as its containers. */
export interface Engine {
  readonly name: string;
  readonly client: string;
  readonly image: string;
  readonly executable: string;
  /** The words that kill and remove containers at once. */
  readonly removal: readonly string[];
}

/** The engines that are compared. */
export function enginesOf(workplace: Workplace): readonly Engine[] {
  const { bunker, image } = workplace;
  const removal = ["rm", "--force"];
  return [
    { name: "bunker", client: bunker, image, executable: bunker, removal },
    // Without it Podman waits ten seconds for each.
    {
      ...{ name: "podman", client: "podman", image: "localhost/bench", executable: "/usr/bin/conmon" },
      removal: [...removal, "--time", "0"],
    },
  ];
}

/** What follows the client's name to start a container that sleeps in the background. */
export function sleeperWords({ image }: Engine): readonly string[] {
  return ["run", "-d", "--network", "none", image, ...SLEEPER];
}

/** The memory of an engine that has so many containers, all of them idle: a row for `MEMORY_HEAD`. */
export function memoryRow({ name, executable }: Engine, count: number): readonly string[] {
  const memories = processesOf(executable).map(memoryOf);
  const total = (key: keyof Memory) => memories.reduce((sum, memory) => sum + memory[key], 0) / 1024;
  const shown = (["private", "proportional", "resident"] as const).map((key) => total(key).toFixed(1));
  return [`${name}, ${count}`, String(memories.length), ...shown, (total("private") / count).toFixed(2)];
}

/** The titles of the columns of `memoryRow`. */
export const MEMORY_HEAD = [
  ...["containers", "processes", "private, MiB", "Pss, MiB", "resident, MiB", "private for each, MiB"],
];

export async function measureMemory(workplace: Workplace): Promise<string> {
  workplace.makeImage();
  workplace.preparePodman();
  return `${await memoryOfContainers(workplace, COUNTS)}\n\n${memoryBesides(workplace)}`;
}

/**
 * The memory of all processes that live as long as containers do, for each engine.
 * @param counts of containers, rising
 * @returns a table in Markdown
 */
export async function memoryOfContainers(workplace: Workplace, counts: readonly number[]): Promise<string> {
  const rows: (readonly string[])[] = [];
  for (const engine of enginesOf(workplace)) {
    let count = 0;
    for (const wanted of counts) {
      while (count < wanted) {
        const more = Math.min(AT_ONCE, wanted - count);
        const words = [engine.client, ...sleeperWords(engine)];
        await Promise.all(Array.from({ length: more }, () => workplace.runBeside(...words)));
        count += more;
      }
      rows.push(memoryRow(engine, count));
    }
    removeAll(workplace, engine);
  }
  return table(MEMORY_HEAD, rows);
}

/** What else there is to say: of the OCI runtime's processes, and the size of the executable. */
export function memoryBesides(workplace: Workplace): string {
  const size = (statSync(workplace.bunker).size / 1e6).toFixed(1);
  return [
    `Processes that stay after \`bunker runtime create\` and \`start\`: ${detached(workplace)}.`,
    `The executable has ${size} MB.`,
  ].join(" ");
}

/** Removes all containers of an engine, which give none of them time to end: what sleeps as first process takes no signal. */
export function removeAll(workplace: Workplace, { client, removal }: Engine): void {
  const ids = workplace.run(client, "ps", "-aq").trim().split("\n");
  if (ids[0] !== "") workplace.run(client, ...removal, ...ids);
}
