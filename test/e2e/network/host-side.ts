/* What the tests of networks do on the host: serve, and ask published ports. */
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
