/*
 * What limits cost and whether they hold: on this host, where most developers' machines have a cgroup to be had and many
 * servers and containers have none, and in the laptop of the tests (test/laptop), where the user's systemd delegates one.
 *
 * Both are asked by the same bash scripts, which time what they do themselves: over the laptop's serial line a command
 * takes longer than by itself. A script prints lines `NAME VALUE...`. The laptop has Podman, too, with its cgroups by
 * systemd; on the host Podman has none, and so nothing to be compared.
 */
import { dirname } from "node:path";
import { Laptop } from "../../test/laptop/laptop.ts";
import { median, table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

/** Where is measured. */
interface Place {
  readonly rootfs: string;
  readonly hasPodman: boolean;
  /** Runs a bash script to its end, and returns what it prints. */
  readonly run: (script: string) => Promise<string>;
}

const HOG_LIMIT = "64m";
const PROCESS_LIMIT = 50;
const MANY = 100;
const BUSY_SECONDS = 10;

const PREAMBLE = `
set -eu
export LC_ALL=C
now() { echo "\${EPOCHREALTIME/./}"; }
timed() { local name=$1 begun; shift; begun=$(now); "$@" >/dev/null; echo "$name $(($(now) - begun))"; }
`;

/** Measures on this host, as the user who calls. */
export async function measureResourcesHere(workplace: Workplace, rounds: number): Promise<string> {
  const { environment, bunker, rootfs } = workplace;
  const variables = {
    ...environment,
    PATH: `${dirname(bunker)}:${environment["PATH"]}`,
    // A user who has a systemd is to be measured with it.
    XDG_RUNTIME_DIR: process.env["XDG_RUNTIME_DIR"] ?? environment["XDG_RUNTIME_DIR"],
  };
  const run = async (script: string) => {
    const child = Bun.spawn(["bash", "-c", script], { env: variables, stdio: ["ignore", "pipe", "pipe"] });
    const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return whole(await child.exited, output, errors);
  };
  return `### This host\n\n${await measureResources({ rootfs, hasPodman: false, run }, rounds)}`;
}

/** Measures in the laptop, which only root can boot. */
export async function measureResourcesInLaptop(rounds: number): Promise<string> {
  const laptop = await Laptop.boot();
  try {
    const run = async (script: string) => {
      const { status, output, errors } = await laptop.run(script);
      return whole(status, output, errors);
    };
    await run(`
      set -e
      mkdir -p root/bin root/proc root/dev root/sys
      cp /bin/busybox root/bin
      for name in sh dd sleep true; do ln -s busybox root/bin/$name; done
      tar -C root -cf - . | podman import --quiet - box`);
    return `### The laptop\n\n${await measureResources({ rootfs: "root", hasPodman: true, run }, rounds)}`;
  } finally {
    await laptop.shutDown();
  }
}

function whole(status: number | null, output: string, errors: string): string {
  if (status === 0) return output;
  throw new Error(`a script ended with status ${status}:\n${output}${errors}`);
}

async function measureResources(place: Place, rounds: number): Promise<string> {
  const driver = (await place.run("bunker info --format '{{.CgroupDriver}} {{.SoftLimits}}'")).trim();
  const rows = [
    await measureHog(place),
    await measureProcessorTime(place, rounds),
    ...(await measureForkBomb(place)),
    ...(await measureStatistics(place, rounds)),
  ];
  return [
    `\`CgroupDriver\` and \`SoftLimits\` of \`bunker info\`: ${driver}.`,
    await measureStart(place, rounds),
    table(["", ""], rows),
  ].join("\n\n");
}

/** What a container's start takes without a cgroup, with one, and with limits. */
async function measureStart({ rootfs, hasPodman, run }: Place, rounds: number): Promise<string> {
  const limits = "-m 100m --cpus 1 --pids-limit 100";
  const ways = ["--cgroups=disabled", "", limits];
  const bunkers = ways.map((options) => `bunker run --rm --network none ${options} --rootfs ${rootfs} /bin/true`);
  const podmans = ways.map((options) => `podman run --rm --network none ${options} box /bin/true`);
  const commands = [...bunkers, ...(hasPodman ? podmans : [])];
  const output = await run(`${PREAMBLE}
    commands=(${commands.map((command) => `'${command}'`).join(" ")})
    for ((round = 0; round <= ${rounds}; round++)); do
      for ((turn = 0; turn < \${#commands[@]}; turn++)); do
        index=$(((turn + round) % \${#commands[@]}))
        # The first round is not counted.
        timed $index \${commands[index]} | { ((round == 0)) || cat; }
      done
    done`);
  const times = commands.map((_, index) => valuesOf(output, String(index)).map((time) => time / 1000));
  const rows = commands.map((command, index) => {
    const own = times[index] ?? [];
    const without = times[index - (index % ways.length)] ?? [];
    const added = median(own.map((time, round) => time - (without[round] ?? Number.NaN)));
    const name = `${command.split(" ")[0]} run ${ways[index % ways.length]}`.trim();
    return [`\`${name}\``, median(own).toFixed(1), index % ways.length === 0 ? "" : added.toFixed(1)];
  });
  return table(["", "median, ms", "added, ms"], rows);
}

async function measureHog({ rootfs, run }: Place): Promise<readonly string[]> {
  const output = await run(`${PREAMBLE}
    begun=$(now)
    bunker run --name hog -m ${HOG_LIMIT} --network none --rootfs ${rootfs} \\
      dd if=/dev/zero of=/dev/null bs=1G count=1000 2>/dev/null || status=$?
    took=$((($(now) - begun) / 1000))
    echo "status $status after $took ms, OOMKilled $(bunker inspect --format '{{.State.OOMKilled}}' hog)"
    bunker rm hog >/dev/null`);
  return [`wants 1 GiB with \`-m ${HOG_LIMIT}\``, output.trim()];
}

/** Of two processes that want all they can get, as their sum. */
async function measureProcessorTime({ rootfs, run }: Place, rounds: number): Promise<readonly string[]> {
  const output = await run(`${PREAMBLE}
    used() {
      local process line ticks=0
      for process in $pid $(cat /proc/$pid/task/$pid/children); do
        read -r line <"/proc/$process/stat"
        set -- \${line##*) }
        ticks=$((ticks + \${12} + \${13}))
      done
      echo $ticks
    }
    bunker run -d --name busy --cpus 0.5 --network none --rootfs ${rootfs} sh -c \\
      '(while :; do :; done) & while :; do :; done' >/dev/null
    pid=$(bunker inspect --format '{{.State.Pid}}' busy)
    for ((round = 0; round < ${Math.min(rounds, 5)}; round++)); do
      begun=$(now) before=$(used)
      sleep ${BUSY_SECONDS}
      # A tick is 10 ms; in millionths of a processor.
      echo "processors $((($(used) - before) * 10000 * 1000000 / ($(now) - begun)))"
    done
    bunker rm -f busy >/dev/null`);
  const used = valuesOf(output, "processors").map((value) => value / 1e6);
  const range = `${Math.min(...used).toFixed(3)} to ${Math.max(...used).toFixed(3)}`;
  return [`processors used with \`--cpus 0.5\`, over ${BUSY_SECONDS} s each`, range];
}

async function measureForkBomb({ rootfs, run }: Place): Promise<readonly (readonly string[])[]> {
  const output = await run(`${PREAMBLE}
    for try in {1..20}; do timed before bunker ps; done
    bunker run -d --name bomb --pids-limit ${PROCESS_LIMIT} --network none --rootfs ${rootfs} sh -c \\
      'bomb() { bomb | bomb & }; bomb 2>/dev/null; exec sleep 1000' >/dev/null
    for try in {1..20}; do
      timed during bunker ps
      echo "processes $(($(bunker top bomb | wc -l) - 1))"
    done
    bunker rm -f bomb >/dev/null`);
  const milliseconds = (name: string) => (median(valuesOf(output, name)) / 1000).toFixed(1);
  const most = Math.max(...valuesOf(output, "processes"));
  return [
    [`most processes of a fork bomb with \`--pids-limit ${PROCESS_LIMIT}\``, String(most)],
    ["`bunker ps` before it, ms", milliseconds("before")],
    ["`bunker ps` beside it, ms", milliseconds("during")],
  ];
}

async function measureStatistics({ rootfs, run }: Place, rounds: number): Promise<readonly (readonly string[])[]> {
  const output = await run(`${PREAMBLE}
    seq ${MANY} | xargs -P 2 -I{} bunker run -d --name 'many-{}' --network none --rootfs ${rootfs} sleep 10000 >/dev/null
    echo "lines $(bunker stats --no-stream --format '{{.PIDs}}' | grep -c '^1$')"
    for ((round = 0; round < ${Math.min(rounds, 10)}; round++)); do
      timed elapsed bunker stats --no-stream
    done
    TIMEFORMAT='processor %U %S'
    { time bunker stats --no-stream >/dev/null; } 2>&1
    bunker ps -q | xargs bunker rm -f >/dev/null`);
  const [lines = 0] = valuesOf(output, "lines");
  const [user = Number.NaN, system = Number.NaN] = /^processor (.*)$/m.exec(output)?.[1]?.split(" ").map(Number) ?? [];
  return [
    [
      `\`bunker stats --no-stream\` of ${lines} containers, ms`,
      (median(valuesOf(output, "elapsed")) / 1000).toFixed(0),
    ],
    ["its processor time, ms", ((user + system) * 1000).toFixed(0)],
  ];
}

/** The values of all lines with a name. */
function valuesOf(output: string, name: string): readonly number[] {
  return [...output.matchAll(new RegExp(`^${name} (\\d+)$`, "gm"))].map(([, value]) => Number(value));
}
