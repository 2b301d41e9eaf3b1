/*
 * A host of a test's own for containers: namespaces of network and mounts with addresses, servers and a resolver that the
 * machine need not have, in which Bunker runs as an ordinary user. Nothing of it touches the machine's network.
 */
import { writeFileSync } from "node:fs";
import { finish, type Outcome, type UnprivilegedUser } from "../../unprivileged-user.ts";

/** A port at which every address of the host answers with what it is sent, over TCP and UDP. */
export const ECHO_PORT = 4007;

/** Ends with its input. */
const HOST = `
ip link set lo up
while read -r address; do ip addr add "$address" dev lo nodad; done <"$1"
echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range
mount --bind "$2" /etc/resolv.conf
shift 2
exec python3 -c "$SERVE" "$@"
`;

const SERVE = `
import json, socket, sys, threading
names = json.load(open(sys.argv[1]))
def stream(c):
    try:
        while data := c.recv(65536): c.sendall(data)
    except ConnectionResetError: pass
def streams(t):
    while True: threading.Thread(target=stream, args=(t.accept()[0],), daemon=True).start()
def datagrams(u):
    while True: u.sendto(*u.recvfrom(65536))
def resolve(u):
    while True:
        question, client = u.recvfrom(65536)
        end, labels = 12, []
        while question[end]:
            labels.append(question[end + 1:end + 1 + question[end]].decode())
            end += 1 + question[end]
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(question[end + 2], 0)
        known = names.get(".".join(labels).lower())
        found = [a for a in known or [] if (":" in a) == (family == socket.AF_INET6)] if family else []
        answer = question[:2] + bytes([0x81, 0x80 if known else 0x83, 0, 1, 0, len(found), 0, 0, 0, 0]) + question[12:end + 5]
        for address in found:
            data = socket.inet_pton(family, address)
            answer += bytes([0xc0, 12]) + question[end + 1:end + 5] + bytes([0, 0, 0, 60, 0, len(data)]) + data
        u.sendto(answer, client)
resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(("127.0.0.1", 53))
threading.Thread(target=resolve, args=(resolver,), daemon=True).start()
for address in sys.argv[2:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    t = socket.socket(family, socket.SOCK_STREAM)
    t.bind((address, ${ECHO_PORT}))
    t.listen()
    u = socket.socket(family, socket.SOCK_DGRAM)
    u.bind((address, ${ECHO_PORT}))
    for work, s in ((streams, t), (datagrams, u)): threading.Thread(target=work, args=(s,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()`;

/** See the head of this file. */
export class OwnHost implements AsyncDisposable {
  readonly #user: UnprivilegedUser;
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;

  private constructor(user: UnprivilegedUser, process: Bun.Subprocess<"pipe", "pipe", "pipe">) {
    this.#user = user;
    this.#process = process;
  }

  /**
   * @param addresses of the host besides its loopback's
   * @param names that its resolver knows, in lower case, with their addresses
   */
  static async start(
    user: UnprivilegedUser,
    addresses: readonly string[],
    names: Readonly<Record<string, readonly string[]>>,
  ): Promise<OwnHost> {
    const directory = user.makeDirectory("host");
    const file = (name: string, text: string) => {
      writeFileSync(`${directory}/${name}`, text);
      return `${directory}/${name}`;
    };
    const lines = addresses.map((address) => `${address}/${address.includes(":") ? 128 : 32}\n`).join("");
    const files = [
      file("addresses", lines),
      file("resolv.conf", "nameserver 127.0.0.1\n"),
      file("names", JSON.stringify(names)),
    ];
    const words = ["unshare", "-n", "-m", "sh", "-ec", HOST, "sh", ...files, ...addresses];
    const environment = { ...process.env, SERVE };
    const child = Bun.spawn(words, { env: environment, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    const { value } = await child.stdout.getReader().read();
    if (value === undefined) throw new Error(await new Response(child.stderr).text());
    return new OwnHost(user, child);
  }

  /** Runs `bunker` there to its end. */
  bunker(words: readonly string[]): Promise<Outcome> {
    return this.execute([this.#user.bunkerPath, ...words]);
  }

  /** Runs a program there as the user to its end. */
  execute(words: readonly string[]): Promise<Outcome> {
    const there = ["nsenter", `--target=${this.#process.pid}`, "-n", "-m", "--wd=/", "--"];
    return finish(this.#user.startAsRoot([...there, ...this.#user.as(words)]));
  }

  /** Ends the servers; the namespaces go with the last container. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}
