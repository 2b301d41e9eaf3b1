/* How long conversations of datagrams are remembered. The stack's clock is put forward; its timer is the kernel's. */
import { expect, spyOn, test } from "bun:test";
import { createSocket, type Socket } from "node:dgram";
import { LOOPBACK_4, version4Address } from "../../../src/network/address.ts";
import { bindPort } from "../../../src/network/published-port.ts";
import { eventually } from "../../unprivileged-user.ts";
import { ipv4, udpDatagram } from "./frames.ts";
import { StackOnSocket } from "./stack-on-socket.ts";

/** The container's port of a conversation with the server, and that behind the published port. */
const TALKS = 1001;
const TALKED_ONCE = 1002;
const IS_IGNORED = 1003;
const WAITS = 1004;
const SERVES = 80;

async function bound(): Promise<{ readonly socket: Socket; readonly port: number }> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { socket, port: socket.address().port };
}

test("those that were answered once last longer, also a published port's, and others end after half a minute", async () => {
  const now = performance.now.bind(performance);
  let ahead = 0;
  using clock = spyOn(performance, "now").mockImplementation(() => now() + ahead);
  using container = new StackOnSocket();
  const server = await bound();
  server.socket.on("message", (data, { port }) => {
    if (data.toString() === "answer") server.socket.send(data, port, "127.0.0.1");
  });
  const clients = [await bound(), await bound()] as const;
  const port = bindPort("udp", { address: LOOPBACK_4, port: 0 });
  container.stack.publish(port, { address: version4Address(0x0a000264), port: SERVES });

  const say = (from: number, to: number, text: string) => {
    container.send(ipv4(17, udpDatagram(from, to, Buffer.from(text))));
    container.work();
  };
  const flows = () => container.stack.flows().map(({ inside, outside }) => `${inside.port} ${outside.port}`);
  const received = (from: number) => container.stack.flows().find(({ inside }) => inside.port === from)?.received ?? 0;
  const until = (condition: () => boolean, what: string) =>
    eventually(
      () => {
        container.work();
        return condition();
      },
      () => what,
    );

  for (const from of [TALKS, TALKED_ONCE]) say(from, server.port, "answer");
  say(IS_IGNORED, server.port, "hello?");
  for (const { socket } of clients) socket.send("question", port.host.port, "127.0.0.1");
  await until(() => flows().length === 5 && received(TALKS) + received(TALKED_ONCE) === 12, "conversations");
  ahead = 100_000;
  say(TALKS, server.port, "answer");
  say(SERVES, clients[0].port, "answer");
  await until(() => received(TALKS) === 12, "another answer");
  ahead = 180_000;
  say(WAITS, server.port, "hello?");
  ahead = 200_000;
  // The first has ended long after its answer, the ignored one long before.
  await until(() => flows().length === 3, "an end of conversations");
  expect(flows().sort()).toEqual(
    [`${TALKS} ${server.port}`, `${WAITS} ${server.port}`, `${SERVES} ${clients[0].port}`].sort(),
  );
  expect(clock).toHaveBeenCalled();
  for (const { socket } of [server, ...clients]) socket.close();
});
