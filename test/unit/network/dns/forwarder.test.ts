/* Questions to a resolver that is slow or silent. The stack's clock is put forward. */
import { expect, spyOn, test } from "bun:test";
import { createSocket } from "node:dgram";
import { parseAddress } from "../../../../src/network/address.ts";
import { Resolvers } from "../../../../src/network/dns/resolvers.ts";
import { eventually } from "../../../unprivileged-user.ts";
import { ipv4, udpDatagram } from "../frames.ts";
import { StackOnSocket } from "../stack-on-socket.ts";

const MOST = 256;
const DNS = "10.0.2.3";
const SERVER_FAILURE = 2;
/** Of Ethernet, IPv4 and UDP. */
const HEADERS = 42;

/** The question for the address of `a`. */
function question(id: number): Buffer {
  const message = Buffer.from("0000010000010000000000000161000001" + "0001", "hex");
  message.writeUInt16BE(id);
  return message;
}

test("the oldest questions give way to new ones, and those that nobody answers have failed after some time", async () => {
  const now = performance.now.bind(performance);
  let ahead = 0;
  using _clock = spyOn(performance, "now").mockImplementation(() => now() + ahead);
  const address = `127.${[...crypto.getRandomValues(new Uint8Array(3))].map((byte) => (byte % 254) + 1).join(".")}`;
  const server = createSocket("udp4");
  await new Promise<void>((resolve) => server.bind(53, address, resolve));
  const asked = new Map<number, () => void>();
  server.on("message", (message, { port, address: client }) => {
    const answer = Buffer.from(message);
    answer.writeUInt16BE(0x8180, 2);
    asked.set(message.readUInt16BE(0), () => server.send(answer, port, client));
  });
  const resolvers = new Resolvers();
  resolvers.use([parseAddress(address) ?? [0, 0, 0, 0]]);
  using container = new StackOnSocket(resolvers);
  const answers: { readonly id: number; readonly status: number }[] = [];
  const until = (condition: () => boolean, what: string) =>
    eventually(
      () => {
        container.work();
        for (const frame of container.received()) {
          answers.push({ id: frame.readUInt16BE(HEADERS), status: (frame[HEADERS + 3] ?? 0) & 0xf });
        }
        return condition();
      },
      () => what,
    );

  for (let id = 1; id <= MOST + 2; id++) {
    container.send(ipv4(17, udpDatagram(2_000, 53, question(id), { destination: DNS }), { destination: DNS }));
    // Before there are more of them than the server's socket holds.
    if (id % 32 === 0) await until(() => asked.size === id, "questions to be asked");
  }
  await until(() => asked.size === MOST + 2, "all questions to be asked");
  expect(container.usage).toMatchObject({ questions: MOST, datagramFlows: 0 });
  // The first two have been given up.
  for (const id of [1, 2, 3, MOST + 2]) asked.get(id)?.();
  await until(() => answers.length === 2, "two answers");
  expect(answers.splice(0).sort((one, other) => one.id - other.id)).toEqual([
    { id: 3, status: 0 },
    { id: MOST + 2, status: 0 },
  ]);
  ahead = 16_000;
  await until(() => answers.length === MOST - 2, "the failure of the others");
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([SERVER_FAILURE]));
  expect(new Set(answers.map(({ id }) => id)).size).toBe(MOST - 2);
  expect(container.usage).toMatchObject({ questions: 0, slots: 1 });
  server.close();
});
