/*
 * A network of the tests' own: a namespace that plays the host, in which routes, ping sockets and resolvers are as a
 * test wants them, and one that plays the container, with Bunker's stack (under the name slirp4netns) between them. All
 * of it belongs to an ordinary user, and nothing of it touches the machine's network.
 */
import { symlinkSync, writeFileSync } from "node:fs";
import { eventually, type Outcome, type PipedSession, UnprivilegedUser } from "../../unprivileged-user.ts";

/** The "host's" addresses beside the loopback. */
export const HOST_4 = "192.0.2.7";
export const HOST_6 = "2001:db8::7";
/** Of the stack and the container. */
export const GATEWAY_4 = "10.0.2.2";
export const GATEWAY_6 = "fd00::2";
export const CONTAINER_4 = "10.0.2.100";
export const CONTAINER_6 = "fd00::100";
export const DNS_4 = "10.0.2.3";

const HOST_SETUP = `
  ip link set lo up
  ip addr add ${HOST_4}/24 dev lo
  ip addr add ${HOST_6}/64 dev lo nodad
  ip route add unreachable 203.0.113.0/26
  ip route add prohibit 203.0.113.64/26
  ip route add 198.51.100.0/24 dev lo
  ip -6 route add unreachable 2001:db8:1::/64
  mount --bind "$1" /etc/resolv.conf
  echo ready
  exec sleep infinity
`;

const PYTHON_PRELUDE = `
import socket, sys, os, errno, fcntl, struct, time, hashlib, select, threading, random
def say(*words):
    print(*words, flush=True)
def name(error):
    return errno.errorcode.get(error.errno, str(error.errno))
def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET
def listener(address, port=0):
    s = socket.socket(family(address), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(512)
    say("port", s.getsockname()[1])
    return s
def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
def receive_all(s):
    parts = []
    while True:
        part = s.recv(1 << 20)
        if not part: return b"".join(parts)
        parts.append(part)
`;

export class PrivateNetwork implements AsyncDisposable {
  readonly user: UnprivilegedUser;
  readonly #processes: Bun.Subprocess[] = [];
  readonly #resolverFile: string;
  readonly api: string;
  #hostPid = 0;
  #containerPid = 0;

  private constructor(user: UnprivilegedUser) {
    this.user = user;
    this.#resolverFile = `${user.directory}/resolv.conf`;
    this.api = `${user.makeDirectory("network")}/api.sock`;
  }

  /** @param options of slirp4netns */
  static async start(options: readonly string[] = ["--mtu=65520"]): Promise<PrivateNetwork> {
    const network = new PrivateNetwork(new UnprivilegedUser());
    try {
      await network.#start(options);
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  async #start(options: readonly string[]): Promise<void> {
    const { user } = this;
    this.setResolvers("nameserver 127.0.0.1\n");
    symlinkSync("bunker", `${user.directory}/slirp4netns`);
    this.#hostPid = await this.#hold(["unshare", "-Urnm", "sh", "-c", HOST_SETUP, "sh", this.#resolverFile]);
    this.#containerPid = await this.#hold(
      this.#inHost(["unshare", "-Urn", "sh", "-c", "echo ready; exec sleep infinity"]),
    );
    const words = ["-c", "-6", "--ready-fd=1", `--api-socket=${this.api}`, ...options, String(this.#containerPid)];
    const stack = user.start(this.#inHost([`${user.directory}/slirp4netns`, ...words]));
    this.#processes.push(stack);
    // The descriptor is closed when all is ready.
    const said = await new Response(stack.stdout).text();
    if (!said.endsWith("1"))
      throw new Error(`the stack does not start: ${said}${await new Response(stack.stderr).text()}`);
  }

  /** Starts a process that keeps a namespace; its pid. */
  async #hold(words: readonly string[]): Promise<number> {
    const child = this.user.start(words);
    this.#processes.push(child);
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    if (value === undefined) throw new Error(await new Response(child.stderr).text());
    return child.pid;
  }

  /** The stack's process. */
  get stackPid(): number {
    return this.#processes[2]?.pid ?? 0;
  }

  /** The "host's" resolv.conf(5). */
  setResolvers(text: string): void {
    writeFileSync(this.#resolverFile, text);
  }

  #inHost(words: readonly string[]): string[] {
    return ["nsenter", `--target=${this.#hostPid}`, "-U", "-n", "-m", "--preserve-credentials", ...words];
  }

  #inContainer(words: readonly string[]): string[] {
    return this.#inHost(["nsenter", `--target=${this.#containerPid}`, "-U", "-n", "--preserve-credentials", ...words]);
  }

  /** Runs a Python program on the "host" or in the "container" to its end. */
  run(where: "host" | "container", program: string, ...words: (string | number)[]): Promise<Outcome> {
    return this.user.execute(this.#python(where, program, words));
  }

  /** Starts a Python program to wait for what it says. */
  talk(where: "host" | "container", program: string, ...words: (string | number)[]): PipedSession {
    const session = this.user.talk(this.#python(where, program, words));
    this.#processes.push(session.process);
    return session;
  }

  #python(where: "host" | "container", program: string, words: readonly (string | number)[]): string[] {
    const command = ["/usr/bin/python3", "-c", PYTHON_PRELUDE + program, ...words.map(String)];
    return where === "host" ? this.#inHost(command) : this.#inContainer(command);
  }

  /** Starts a server of the tests, which says its port; see `listener` of the prelude. */
  async serve(where: "host" | "container", program: string): Promise<{ session: PipedSession; port: number }> {
    const session = this.talk(where, program);
    const said = await session.expect(/port \d+\n/);
    return { session, port: Number(said.split(" ")[1]) };
  }

  /** Runs a command in one of the namespaces. */
  command(where: "host" | "container", words: readonly string[]): Promise<Outcome> {
    return this.user.execute(where === "host" ? this.#inHost(words) : this.#inContainer(words));
  }

  /** Sends a request to the API socket; its answer. */
  async ask(request: object | string): Promise<unknown> {
    const text = typeof request === "string" ? request : JSON.stringify(request);
    const program = `
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode())
s.shutdown(socket.SHUT_WR)
sys.stdout.buffer.write(receive_all(s))
`;
    const { output, errors } = await this.run("host", program, this.api, text);
    if (output === "") throw new Error(errors);
    return JSON.parse(output);
  }

  /** Publishes a port by the API. */
  async publish(proto: string, hostPort: number, guestPort: number, hostAddress = ""): Promise<unknown> {
    const forward = { proto, host_addr: hostAddress, host_port: hostPort, guest_port: guestPort };
    return this.ask({ execute: "add_hostfwd", arguments: forward });
  }

  /** What the stack's process takes of memory that is its own, in bytes. */
  async privateMemory(): Promise<number> {
    const text = await Bun.file(`/proc/${this.stackPid}/status`).text();
    return Number(/RssAnon:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024;
  }

  /** Ends everything, the stack by its namespace's end. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes.reverse()) child.kill("SIGKILL");
    await Promise.all(this.#processes.map((child) => child.exited));
    await eventually(
      () => this.user.processes().length === 0,
      () => "no process to be left",
    );
    this.user[Symbol.dispose]();
  }
}
