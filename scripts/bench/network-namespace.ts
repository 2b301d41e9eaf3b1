/* Network namespaces with a stack that leads outside, as the benchmarks use them. */
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Workplace } from "./workplace.ts";

/** The port of the host that leads to the same one inside. */
export const INSIDE_PORT = 15_202;

export interface Network {
  readonly name: string;
  /** Runs a command inside. */
  readonly inside: (words: readonly string[]) => string[];
  /** The host as it is seen from inside. */
  readonly host: string;
  /** The stack's process; undefined where there is none. */
  readonly pid: number | undefined;
}

/** The MTU of a network unless another is asked for: the largest. */
const LARGEST_MTU = 65_520;

/** Makes a network namespace with a contender's stack. */
export async function openNetwork(
  cleanup: AsyncDisposableStack,
  workplace: Workplace,
  name: string,
  mtu = LARGEST_MTU,
): Promise<Network> {
  if (name === "no stack") return { name, inside: (words) => [...words], host: "127.0.0.1", pid: undefined };
  const holder = await background(cleanup, ["unshare", "-Urn", "sh", "-c", "echo ready; exec sleep infinity"]);
  const inside = (words: readonly string[]) => [
    "nsenter",
    `--target=${holder}`,
    "-U",
    "-n",
    "--preserve-credentials",
    ...words,
  ];
  if (name === "pasta") {
    const ports = ["-t", String(INSIDE_PORT), "-u", "none", "-T", "none", "-U", "none"];
    const pid = await background(cleanup, [
      "pasta",
      "--foreground",
      "--config-net",
      "-m",
      String(mtu),
      ...ports,
      `${holder}`,
    ]);
    return { name, inside, host: await gateway(inside), pid };
  }
  const own = join(workplace.directory, "slirp4netns");
  if (!existsSync(own)) symlinkSync(workplace.bunker, own);
  const program = name === "bunker" ? own : "slirp4netns";
  const socket = join(workplace.directory, `${holder}.sock`);
  const options = ["--configure", `--mtu=${mtu}`, `--api-socket=${socket}`];
  const pid = await background(cleanup, [program, ...options, String(holder), "tap0"]);
  const forward = { proto: "tcp", host_addr: "127.0.0.1", host_port: INSIDE_PORT, guest_port: INSIDE_PORT };
  await ask(socket, JSON.stringify({ execute: "add_hostfwd", arguments: forward }));
  return { name, inside, host: "10.0.2.2", pid };
}

/** The gateway of the route that leads outside, once there is one: pasta says something before it has made it. */
async function gateway(inside: Network["inside"]): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const [, address] = /^default via (\S+)/m.exec(run(inside(["ip", "-4", "route"]))) ?? [];
    if (address !== undefined) return address;
    await Bun.sleep(20);
  }
  throw new Error("pasta has made no default route");
}

/** Sends a request to an API socket, and waits for the answer. */
async function ask(path: string, request: string): Promise<void> {
  const script =
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode()); s.shutdown(1); print(s.recv(4096).decode())";
  const answer = run(["python3", "-c", script, path, request]);
  if (!answer.includes('"return"')) throw new Error(`${path}: ${answer}`);
}

/** Starts a program that is killed with the stack, and waits until it has said something; its pid. */
export async function background(cleanup: AsyncDisposableStack, words: readonly string[]): Promise<number> {
  const child = Bun.spawn([...words], { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  cleanup.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const outputs = [child.stdout, child.stderr].map((stream) => stream.getReader());
  await Promise.race(outputs.map((output) => output.read()));
  // A program whose output nobody takes stands still in the end.
  for (const output of outputs) void discard(output);
  return child.pid;
}

async function discard(output: { read(): Promise<{ readonly done: boolean }> }): Promise<void> {
  while (!(await output.read()).done);
}

/** What a command prints, which has to end well. */
export function run(words: readonly string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync([...words]);
  if (!success) throw new Error(`${words.join(" ")}: ${stdout}${stderr}`);
  return stdout.toString();
}

/** Anonymous memory of a process, in MB. */
export function privateMemory(pid: number): number {
  const [, kilobytes = "0"] = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}
