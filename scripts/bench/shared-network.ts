/*
 * Two containers on one network of Bunker's against the kernel's own means, which need rights or a namespace of one's
 * own: two network namespaces with a pair of veth devices between them, and the loopback of one. iperf3 (Debian's
 * package) runs in all of them; the containers have the host's files as their own.
 */
import * as v from "valibot";
import { median, table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

const SECONDS = 3;
const STREAMS = [1, 8];

/** Where a client and its server are. */
interface Pair extends Disposable {
  readonly name: string;
  /** The client's command line. */
  readonly client: (options: readonly string[]) => readonly string[];
}

const resultSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ end: v.object({ sum_received: v.object({ bits_per_second: v.number() }) }) }),
);

/** Compares throughput between two containers with that of veth devices and the loopback. */
export async function measureSharedNetwork(workplace: Workplace, rounds: number): Promise<string> {
  const makers = [containers, vethPair, loopback];
  const values = new Map<string, number[]>();
  const names = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < makers.length; turn++) {
      using pair = await makers[(turn + round) % makers.length]?.(workplace);
      if (pair === undefined) continue;
      names.add(pair.name);
      for (const streams of STREAMS) {
        const key = `${pair.name} ${streams}`;
        const options = ["--json", "--time", String(SECONDS), "--parallel", String(streams)];
        const { end } = v.parse(resultSchema, run(workplace, pair.client(options)));
        values.set(key, [...(values.get(key) ?? []), end.sum_received.bits_per_second / 1e9]);
      }
    }
  }
  const contenders = [...names].toSorted();
  const rows = STREAMS.map((streams) => [
    `${streams} ${streams === 1 ? "stream" : "streams"}, Gbit/s`,
    ...contenders.map((name) => median(values.get(`${name} ${streams}`) ?? []).toFixed(1)),
  ]);
  return table(["", ...contenders], rows);
}

async function containers(workplace: Workplace): Promise<Pair> {
  const { bunker } = workplace;
  const options = ["--network", "bench", "--rootfs", "/:O", "iperf3"];
  run(workplace, [bunker, "network", "create", "bench"]);
  run(workplace, [bunker, "run", "-d", "--name", "server", ...options, "--server"]);
  const client = (words: readonly string[]) => [bunker, "run", "--rm", ...options, "--client", "server", ...words];
  await answered(workplace, client);
  return {
    name: "two containers",
    client,
    [Symbol.dispose]: () => {
      run(workplace, [bunker, "rm", "-f", "server"]);
      run(workplace, [bunker, "network", "rm", "bench"]);
    },
  };
}

async function vethPair(workplace: Workplace): Promise<Pair> {
  const script = [
    "ip link set lo up",
    "unshare -n sh -c 'echo $$ >inner; exec iperf3 --server' >/dev/null &",
    "until [ -s inner ] && ip link add out type veth peer name in netns $(cat inner); do sleep 0.1; done",
    "ip addr add 10.9.9.1/24 dev out; ip link set out up",
    "nsenter --target=$(cat inner) -n sh -c 'ip addr add 10.9.9.2/24 dev in; ip link set in up; ip link set lo up'",
    "echo ready",
    "exec sleep infinity",
  ].join("\n");
  const holder = Bun.spawn(["unshare", "-Urn", "--kill-child", "--fork", "--pid", "--mount-proc", "sh", "-c", script], {
    cwd: workplace.directory,
    env: { ...process.env },
    stdout: "pipe",
    stderr: "inherit",
  });
  await holder.stdout.getReader().read();
  const [child = ""] = (await Bun.file(`/proc/${holder.pid}/task/${holder.pid}/children`).text()).split(" ");
  const client = (words: readonly string[]) => [
    ...["nsenter", `--target=${child}`, "-U", "-n", "--preserve-credentials"],
    ...["iperf3", "--client", "10.9.9.2", ...words],
  ];
  await answered(workplace, client);
  return {
    name: "veth",
    client,
    [Symbol.dispose]: () => {
      holder.kill("SIGKILL");
      Bun.spawnSync(["rm", "-f", `${workplace.directory}/inner`]);
    },
  };
}

async function loopback(workplace: Workplace): Promise<Pair> {
  const PORT = "15204";
  const server = Bun.spawn(["iperf3", "--server", "--port", PORT], { stdout: "ignore", stderr: "ignore" });
  const client = (words: readonly string[]) => ["iperf3", "--client", "127.0.0.1", "--port", PORT, ...words];
  await answered(workplace, client);
  return { name: "loopback", client, [Symbol.dispose]: () => server.kill("SIGKILL") };
}

/** Waits until a server is there. */
async function answered(workplace: Workplace, client: Pair["client"]): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { success } = Bun.spawnSync([...client(["--bytes", "1"])], { env: workplace.environment });
    if (success) return;
    await Bun.sleep(100);
  }
  throw new Error(`there is no server for ${client([]).join(" ")}`);
}

function run(workplace: Workplace, words: readonly string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync([...words], { env: workplace.environment });
  if (!success) throw new Error(`${words.join(" ")}: ${stdout}${stderr}`);
  return stdout.toString();
}
