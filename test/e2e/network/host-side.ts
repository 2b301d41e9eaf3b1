/* What the tests of networks do on the host: serve, and ask published ports. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** A server of the host's, until it is disposed. */
export interface HostServer extends AsyncDisposable {
  readonly port: number;
}

/** Serves a line to each client, at any port of an address. */
export async function serveOnHost(address: string): Promise<HostServer> {
  const server = createServer((socket) => socket.end("hello from the host\n"));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

/** A port of the host that nobody has. */
export async function freePort(): Promise<number> {
  await using server = await serveOnHost("::");
  return server.port;
}

/** What a server says to a client of the host's; waits until it is there. */
export async function askFromHost(hostname: string, port: number): Promise<string> {
  for (;;) {
    try {
      let text = "";
      await new Promise<void>((resolve, reject) => {
        const socket = Bun.connect({
          hostname,
          port,
          socket: {
            data: (_socket, data) => {
              text += data.toString();
            },
            close: () => resolve(),
            error: (_socket, error) => reject(error),
          },
        });
        socket.catch(reject);
      });
      // Nobody listens in the container yet: the connection is reset.
      if (text !== "") return text;
    } catch {
      // The same.
    }
    await Bun.sleep(10);
  }
}

/** What TCP and UDP, IPv4 and IPv6 are tried with in a container that has the host's Python. */
export const PYTHON = ["--rootfs", "/:O", "python3", "-c"];

/** Sends back what comes over TCP and UDP, at one port of both the host's loopback addresses. */
export async function echoOnHost(): Promise<HostServer> {
  const program = `
import socket, threading
def serve(family, address, port):
    t = socket.socket(family, socket.SOCK_STREAM)
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    t.bind((address, port))
    t.listen()
    u = socket.socket(family, socket.SOCK_DGRAM)
    u.bind(t.getsockname()[:2])
    def datagrams():
        while True:
            data, client = u.recvfrom(65536)
            u.sendto(data, client)
    def stream(c):
        try:
            while data := c.recv(65536): c.sendall(data)
        except ConnectionResetError: pass
    def streams():
        while True: threading.Thread(target=stream, args=(t.accept()[0],), daemon=True).start()
    for work in (datagrams, streams): threading.Thread(target=work, daemon=True).start()
    return t.getsockname()[1]
while True:
    try:
        port = serve(socket.AF_INET, "127.0.0.1", 0)
        serve(socket.AF_INET6, "::1", port)
        break
    except OSError: pass
print(port, flush=True)
threading.Event().wait()`;
  const child = Bun.spawn(["python3", "-c", program], { stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  return {
    port: Number(Buffer.from(value ?? []).toString()),
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}

/** Python: a connected socket for each protocol and IP version, to a port of two addresses. */
export const EACH_KIND = `
import socket, sys, time, errno
def each(four, six, port, use):
    for address, family in ((four, socket.AF_INET), (six, socket.AF_INET6)):
        for name, kind in (("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)):
            s = socket.socket(family, kind)
            s.settimeout(60)
            try:
                s.connect((address, port))
                if name == "udp": s.send(b"?")
                print(name, use(s), flush=True)
            except OSError as error: print(name, errno.errorcode.get(error.errno, "timeout"), flush=True)
`;

/** A resolver of the host's, until it is disposed. */
export interface HostResolver extends AsyncDisposable {
  readonly address: string;
  /** The names that it has been asked for, in lower case, in their order. */
  readonly asked: readonly string[];
}

/**
 * Answers questions for names, over UDP at port 53 of an address of the host's loopback that nobody else has.
 * @param addressOf the IPv4 address of a name
 */
export async function resolveOnHost(addressOf: (name: string) => string): Promise<HostResolver> {
  const address = `127.${[...crypto.getRandomValues(new Uint8Array(3))].map((byte) => (byte % 254) + 1).join(".")}`;
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (question, client) => {
    let end = 12;
    const labels: string[] = [];
    for (let size = question[end] ?? 0; size > 0; size = question[end] ?? 0) {
      labels.push(question.toString("latin1", end + 1, end + 1 + size));
      end += 1 + size;
    }
    const name = labels.join(".").toLowerCase();
    asked.push(name);
    const isA = question.readUInt16BE(end + 1) === 1;
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...addressOf(name).split(".").map(Number)]);
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(isA ? 1 : 0, 6);
    header.writeUInt32BE(0, 8);
    const parts = [header, question.subarray(12, end + 5), ...(isA ? [record] : [])];
    socket.send(Buffer.concat(parts), client.port, client.address);
  });
  await new Promise<void>((resolve) => socket.bind(53, address, resolve));
  return {
    address,
    asked,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void socket.close(() => resolve())),
  };
}
