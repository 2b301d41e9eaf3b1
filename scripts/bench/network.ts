/*
 * The network stack against slirp4netns and pasta (Debian's packages slirp4netns, passt and iperf3): each serves a network
 * namespace of its own, from which programs talk with servers on the host's loopback, and the host with a server inside
 * by a published port. "no stack" is the same within the host.
 */
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { median, table } from "./measure.ts";
import { background, INSIDE_PORT, type Network, openNetwork, privateMemory, run } from "./network-namespace.ts";
import type { Workplace } from "./workplace.ts";

const SECONDS = 3;
const EXCHANGES = 3_000;
const SERVER_PORT = 15_201;
const EXCHANGE_PORT = 15_203;

/** Measured values by row and contender, one for each round. */
type Results = Map<string, Map<string, number[]>>;

const streamSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ end: v.object({ sum_received: v.object({ bits_per_second: v.number(), bytes: v.number() }) }) }),
);

const SERVE = `
import socket, sys, threading
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.1", ${EXCHANGE_PORT}))
l.listen(4096)
def serve(s):
    while True:
        data = s.recv(100)
        if not data: break
        s.sendall(data)
    s.close()
print("ready", flush=True)
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()`;

const EXCHANGE = `
import socket, sys, time
host, kept = sys.argv[1], sys.argv[2] == "kept"
connect = lambda: socket.create_connection((host, ${EXCHANGE_PORT}))
s = connect()
began = time.monotonic()
for _ in range(${EXCHANGES}):
    if not kept: s = connect()
    s.sendall(b"x" * 64)
    s.recv(100)
    if not kept: s.close()
print(${EXCHANGES} / (time.monotonic() - began))`;

/** Compares throughput, exchanges, processor time and memory. */
export async function measureNetwork(workplace: Workplace, rounds: number): Promise<string> {
  const results: Results = new Map();
  const contenders = ["no stack", "bunker", "slirp4netns", "pasta"];
  using servers = new DisposableStack();
  await background(servers, ["iperf3", "--server", "--port", String(SERVER_PORT), "--forceflush"]);
  await background(servers, ["python3", "-c", SERVE]);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const name = contenders[(turn + round) % contenders.length] ?? "";
      using cleanup = new DisposableStack();
      const network = await openNetwork(cleanup, workplace, name);
      await measureOne(results, network, cleanup);
    }
  }
  const rows = [...results].map(([row, values]) => [
    row,
    ...contenders.map((name) => {
      const measured = values.get(name);
      return measured === undefined ? "" : format(median(measured));
    }),
  ]);
  return table(["", ...contenders], rows);
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}

async function measureOne(results: Results, network: Network, cleanup: DisposableStack): Promise<void> {
  const { name, inside, host, pid } = network;
  const record = (row: string, value: number) => {
    const values = results.get(row) ?? new Map<string, number[]>();
    results.set(row, values.set(name, [...(values.get(name) ?? []), value]));
  };
  if (pid !== undefined) record("memory of its own when idle, MB", privateMemory(pid));
  const stream = (...options: string[]) => ["iperf3", "--json", "--time", String(SECONDS), ...options];
  for (const [row, options] of [
    ["out, 1 stream, Gbit/s", []],
    ["in, 1 stream, Gbit/s", ["--reverse"]],
    ["out, 8 streams, Gbit/s", ["--parallel", "8"]],
    ["in, 8 streams, Gbit/s", ["--parallel", "8", "--reverse"]],
  ] as const) {
    const before = pid === undefined ? 0 : processorSeconds(pid);
    const command = stream("--client", host, "--port", String(SERVER_PORT), ...options);
    const { bits_per_second, bytes } = received(run(inside(command)));
    record(row, bits_per_second / 1e9);
    if (pid !== undefined && row.includes("1 stream")) {
      record(`processor seconds for a GB, ${row.split(",")[0]}`, (processorSeconds(pid) - before) / (bytes / 1e9));
    }
  }
  record("exchanges, a new connection each, a second", Number(run(inside(["python3", "-c", EXCHANGE, host, "new"]))));
  record("exchanges, one connection, a second", Number(run(inside(["python3", "-c", EXCHANGE, host, "kept"]))));
  if (pid !== undefined) {
    await background(cleanup, inside(["iperf3", "--server", "--port", String(INSIDE_PORT), "--forceflush"]));
    const command = stream("--client", "127.0.0.1", "--port", String(INSIDE_PORT));
    record("published port, 1 stream in, Gbit/s", received(run(command)).bits_per_second / 1e9);
    record("memory of its own after all that, MB", privateMemory(pid));
  }
}

function received(json: string) {
  const result = v.safeParse(streamSchema, json);
  if (result.success) return result.output.end.sum_received;
  throw new Error(`iperf3 has not measured: ${json}`);
}

/** Processor time that a process has used, in seconds. */
function processorSeconds(pid: number): number {
  const TICKS_PER_SECOND = 100;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
