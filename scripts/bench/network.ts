/*
 * The network stack against slirp4netns and pasta (Debian's packages slirp4netns, passt and iperf3): each serves a network
 * namespace of its own, from which programs talk with servers on the host's loopback, and the host with a server inside
 * by a published port. "no stack" is the same within the host.
 */
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { SERVING_SETTINGS } from "../../src/sys/own-command.ts";
import { compileProgram } from "./compile-program.ts";
import { median, table } from "./measure.ts";
import { background, INSIDE_PORT, type Network, openNetwork, privateMemory, run } from "./network-namespace.ts";
import type { Workplace } from "./workplace.ts";

const SECONDS = 2;
const EXCHANGES = 3_000;
const CONNECTIONS = 1_000;
/** Rates that datagrams are sent at, in Mbit/s, how exactly the highest is looked for, and the part that may get lost. */
const LOWEST_DATAGRAM_RATE = 62.5;
const HIGHEST_DATAGRAM_RATE = 8_000;
const DATAGRAM_RATE_STEP = 1.05;
const PERMITTED_LOSS = 0.001;
const DATAGRAM_SIZE = 1_400;
const MOST_TRIES = 50;
const ORDINARY_MTU = 1_500;
const SERVER_PORT = 15_201;
const EXCHANGE_PORT = 15_203;

/** Measured values by row and contender, one for each round. */
type Results = Map<string, Map<string, number[]>>;

const sumSchema = v.object({
  bits_per_second: v.number(),
  bytes: v.number(),
  packets: v.optional(v.number()),
  lost_packets: v.optional(v.number()),
});
const streamSchema = v.pipe(v.string(), v.parseJson(), v.object({ end: v.object({ sum_received: sumSchema }) }));

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
import socket, statistics, sys, time
host, kept = sys.argv[1], sys.argv[2] == "kept"
connect = lambda: socket.create_connection((host, ${EXCHANGE_PORT}))
s = connect()
times = []
for _ in range(${EXCHANGES}):
    began = time.monotonic()
    if not kept: s = connect()
    s.sendall(b"x" * 64)
    s.recv(100)
    if not kept: s.close()
    times.append(time.monotonic() - began)
print(len(times) / sum(times), statistics.median(times) * 1e6)`;

/** Keeps many connections that have all been used. */
const KEEP = `
import resource, socket, sys, time
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
kept = []
for _ in range(${CONNECTIONS}):
    s = socket.create_connection((sys.argv[1], ${EXCHANGE_PORT}))
    s.sendall(b"x" * 64)
    s.recv(100)
    kept.append(s)
print("ready", flush=True)
time.sleep(1000)`;

/** A program of Bun's that has nothing of its own but a way to wait in the kernel. */
const BARE = `
import { dlopen } from "bun:ffi";
const { pause } = dlopen("libc.so.6", { pause: { args: [], returns: "int" } }).symbols;
console.log("ready");
pause();`;
const IDLE_MEMORY = "memory of its own when idle, MB";

const CONTENDERS = ["no stack", "bunker", "slirp4netns", "pasta"];

/** Compares throughput, exchanges, processor time and memory. */
export async function measureNetwork(workplace: Workplace, rounds: number): Promise<string> {
  const results: Results = new Map();
  await using servers = new AsyncDisposableStack();
  await background(servers, ["iperf3", "--server", "--port", String(SERVER_PORT), "--forceflush"]);
  await background(servers, ["python3", "-c", SERVE]);
  const engineMemory = await memoryOfTheEngine(workplace);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < CONTENDERS.length; turn++) {
      const name = CONTENDERS[(turn + round) % CONTENDERS.length] ?? "";
      const record: Recorder = (row, value) => {
        const values = results.get(row) ?? new Map<string, number[]>();
        results.set(row, values.set(name, [...(values.get(name) ?? []), value]));
      };
      await measureLargeFrames(workplace, name, record);
      if (name !== "no stack") await measureOrdinaryFrames(workplace, name, record);
    }
  }
  addRoundTrips(results);
  addMemoryOfTheStack(results, engineMemory);
  const rows = [...results].map(([row, values]) => [
    row,
    ...CONTENDERS.map((name) => {
      const measured = values.get(name);
      return measured === undefined ? "" : format(median(measured));
    }),
  ]);
  return table(["", ...CONTENDERS], rows);
}

function format(value: number): string {
  return Math.abs(value) >= 99.5 ? value.toFixed(0) : value.toPrecision(2);
}

/** Takes down a value of the contender whose turn it is. */
type Recorder = (row: string, value: number) => void;

/** What a network of the largest MTU does. */
async function measureLargeFrames(workplace: Workplace, name: string, record: Recorder): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  const network = await openNetwork(cleanup, workplace, name);
  const { inside, host, pid } = network;
  if (pid !== undefined) record(IDLE_MEMORY, privateMemory(pid));
  const parallel = ["--parallel", "8"];
  measureStream(network, "out, 1 stream", [], record);
  measureStream(network, "in, 1 stream", ["--reverse"], record);
  measureStream(network, "out, 8 streams", parallel, record);
  measureStream(network, "in, 8 streams", [...parallel, "--reverse"], record);
  if (pid !== undefined) {
    await background(cleanup, inside(["iperf3", "--server", "--port", String(INSIDE_PORT), "--forceflush"]));
    const command = stream("--client", "127.0.0.1", "--port", String(INSIDE_PORT));
    record("published port, 1 stream in, Gbit/s", measureSum(command).bits_per_second / 1e9);
  }
  record("datagrams without loss, Mbit/s", datagramRate(network));
  const exchange = (kind: string) =>
    run(inside(["python3", "-c", EXCHANGE, host, kind]))
      .split(" ")
      .map(Number);
  const [created = Number.NaN] = exchange("new");
  record("exchanges, a new connection each, a second", created);
  const [kept = Number.NaN, roundTrip = Number.NaN] = exchange("kept");
  record("exchanges, one connection, a second", kept);
  record(ROUND_TRIP, roundTrip);
  if (pid !== undefined) record("memory of its own after all that, MB", privateMemory(pid));
}

/** What a network with the frames of a wire does, and what many connections cost a stack that has done nothing else. */
async function measureOrdinaryFrames(workplace: Workplace, name: string, record: Recorder): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  const network = await openNetwork(cleanup, workplace, name, ORDINARY_MTU);
  const { inside, host, pid } = network;
  {
    await using clients = new AsyncDisposableStack();
    await background(clients, inside(["python3", "-c", KEEP, host]));
    if (pid !== undefined) record(`memory of its own with ${CONNECTIONS} connections, MB`, privateMemory(pid));
  }
  measureStream(network, `out, 1 stream, MTU ${ORDINARY_MTU}`, [], record);
  measureStream(network, `in, 1 stream, MTU ${ORDINARY_MTU}`, ["--reverse"], record);
}

function stream(...options: string[]): string[] {
  return ["iperf3", "--json", "--time", String(SECONDS), ...options];
}

/** Measures throughput, and what the stack needs for it. */
function measureStream(network: Network, row: string, options: readonly string[], record: Recorder): void {
  const { inside, host, pid } = network;
  const before = pid === undefined ? 0 : processorSeconds(pid);
  const command = stream("--client", host, "--port", String(SERVER_PORT), ...options);
  const { bits_per_second, bytes } = measureSum(inside(command));
  record(`${row}, Gbit/s`, bits_per_second / 1e9);
  if (pid !== undefined) record(`${row}, processor seconds for a GB`, (processorSeconds(pid) - before) / (bytes / 1e9));
}

/** The highest rate at which datagrams get out with hardly any loss, in Mbit/s. */
function datagramRate(network: Network): number {
  let good = 0;
  let bad = LOWEST_DATAGRAM_RATE;
  while (bad < HIGHEST_DATAGRAM_RATE && passDatagrams(network, bad)) [good, bad] = [bad, 2 * bad];
  while (good > 0 && bad / good > DATAGRAM_RATE_STEP) {
    const rate = Math.sqrt(good * bad);
    if (passDatagrams(network, rate)) good = rate;
    else bad = rate;
  }
  return good;
}

/** Whether datagrams get out at a rate, at the first try or the second: what else the machine does is not the stack's fault. */
function passDatagrams({ inside, host }: Network, rate: number): boolean {
  const bitrate = String(Math.round(rate * 1e6));
  const options = ["--udp", "--length", String(DATAGRAM_SIZE), "--bitrate", bitrate, "--time", "1"];
  const command = inside(["iperf3", "--json", ...options, "--client", host, "--port", String(SERVER_PORT)]);
  for (let tries = 0; tries < 2; tries++) {
    const { packets = 0, lost_packets = 0 } = measureSum(command);
    if (lost_packets <= packets * PERMITTED_LOSS) return true;
  }
  return false;
}

const ROUND_TRIP = "round trip, microseconds";

/** What each stack adds to the round trip without a stack in the same round. */
function addRoundTrips(results: Results): void {
  const measured = results.get(ROUND_TRIP) ?? new Map<string, number[]>();
  const without = measured.get("no stack") ?? [];
  const added = new Map<string, number[]>();
  for (const [name, times] of measured) {
    if (name === "no stack") continue;
    added.set(
      name,
      times.map((time, round) => time - (without[round] ?? Number.NaN)),
    );
  }
  results.set("round trip, added by the stack, microseconds", added);
}

/** What any program has that runs under Bun, with the settings that the stack's process gives itself; in MB. */
async function memoryOfTheEngine(workplace: Workplace): Promise<number> {
  await using cleanup = new AsyncDisposableStack();
  const program = compileProgram(workplace, "bare", BARE);
  return privateMemory(await background(cleanup, ["env", ...SERVING_SETTINGS, program]));
}

/** What Bunker's stack has when idle besides the engine. */
function addMemoryOfTheStack(results: Results, engineMemory: number): void {
  const idle = results.get(IDLE_MEMORY)?.get("bunker") ?? [];
  const ofTheStack = idle.map((memory) => memory - engineMemory);
  results.set("memory when idle, without Bun's engine, MB", new Map([["bunker", ofTheStack]]));
}

/** What iperf3 has measured; it is run again while its server has not done with what came before. */
function measureSum(command: readonly string[]): v.InferOutput<typeof sumSchema> {
  for (let tries = 1; ; tries++) {
    const json = run(command);
    const result = v.safeParse(streamSchema, json);
    if (result.success) return result.output.end.sum_received;
    if (tries === MOST_TRIES || !json.includes("the server is busy"))
      throw new Error(`iperf3 has not measured: ${json}`);
    Bun.sleepSync(100);
  }
}

/** Processor time that a process has used, in seconds. */
function processorSeconds(pid: number): number {
  const TICKS_PER_SECOND = 100;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
