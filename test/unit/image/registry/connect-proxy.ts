import { createServer, request as sendRequest } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

/**
 * Starts a proxy that leads every tunnel and every request to one port of this machine, and tells what it was asked for.
 * With it a test can be any host of the Internet.
 */
export async function startProxy(port: number) {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers["proxy-authorization"]}`);
    const { method, headers } = request;
    const { pathname, search } = new URL(request.url ?? "");
    const upstream = sendRequest({ host: "127.0.0.1", port, method, path: pathname + search, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on("error", () => response.destroy());
    request.pipe(upstream);
  });
  server.on("connect", (request, client) => {
    asked.push(`CONNECT ${request.url} ${request.headers["proxy-authorization"]}`);
    const upstream = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(client);
      client.pipe(upstream);
    });
    for (const socket of [upstream, client as Socket]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    asked,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
