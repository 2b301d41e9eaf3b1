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
