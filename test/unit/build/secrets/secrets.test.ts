import { describe, expect, test } from "bun:test";
import { existsSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { agentSocket, forwardAgent } from "../../../../src/build/secrets/agent-forwarding.ts";
import { readSecret } from "../../../../src/build/secrets/secret-source.ts";
import { TemporaryTree } from "../files/trees.ts";

describe("a secret", () => {
  test("is read from a file or the environment, byte by byte", () => {
    using tree = new TemporaryTree();
    writeFileSync(tree.at("key"), Buffer.from([0, 255, 10]));
    const file = { id: "a", from: { kind: "file", path: tree.at("key") } } as const;
    expect(readSecret(file, {})).toEqual(Buffer.from([0, 255, 10]));
    const variable = { id: "a", from: { kind: "environment", name: "TOKEN" } } as const;
    expect(readSecret(variable, { TOKEN: "" }).length).toBe(0);
    expect(() => readSecret(variable, {})).toThrow("read secret a: the environment has no TOKEN");
  });

  test("that cannot be read is an error that names it", () => {
    using tree = new TemporaryTree({ "d/": "", large: "" });
    truncateSync(tree.at("large"), (500 << 10) + 1);
    const read = (name: string) => () => readSecret({ id: "a", from: { kind: "file", path: tree.at(name) } }, {});
    expect(read("none")).toThrow(/read secret a: .*none: ENOENT/);
    expect(read("d")).toThrow(/is a directory/);
    expect(read("large")).toThrow(/larger than 500 KiB/);
  });
});

describe("an agent", () => {
  test("is found by its socket", () => {
    using tree = new TemporaryTree({ key: "" });
    expect(() => agentSocket({ id: "default", socket: undefined }, {})).toThrow(/SSH_AUTH_SOCK is not set/);
    expect(() => agentSocket({ id: "x", socket: tree.at("none") }, {})).toThrow(/there is no/);
    expect(() => agentSocket({ id: "x", socket: tree.at("key") }, {})).toThrow(/is no socket/);
  });

  test("lists keys and signs for a build, and does nothing else", async () => {
    using tree = new TemporaryTree();
    const requests: number[] = [];
    const sockets: Socket[] = [];
    const agent = createServer((socket) => {
      sockets.push(socket);
      socket.on("data", (bytes: Buffer) => {
        requests.push(bytes[4] ?? 0);
        // In two pieces, as it may come.
        const answer = Buffer.from([0, 0, 0, 3, 12, bytes[4] ?? 0, 7]);
        socket.write(answer.subarray(0, 5), () => socket.write(answer.subarray(5)));
      });
    });
    await new Promise<void>((done) => agent.listen(tree.at("agent"), done));
    const forwarding = await forwardAgent(
      agentSocket({ id: "default", socket: undefined }, { SSH_AUTH_SOCK: tree.at("agent") }),
      tree.at("forwarded"),
    );
    expect(statSync(tree.at("forwarded")).mode & 0o777).toBe(0o600);
    const [list, remove, sign] = [11, 19, 13].map((type) => Buffer.from([0, 0, 0, 1, type]));
    const answers = await ask(tree.at("forwarded"), Buffer.concat([list, remove, sign] as Buffer[]), 19);
    expect(answers.toString("hex")).toBe("000000030c0b07000000010500000003" + "0c0d07");
    expect(requests).toEqual([11, 13]);
    forwarding[Symbol.dispose]();
    expect(existsSync(tree.at("forwarded"))).toBe(false);
    agent.close();
    for (const socket of sockets) socket.destroy();
  });

  test("hangs up on what is no message", async () => {
    using tree = new TemporaryTree();
    const agent = createServer(() => undefined);
    await new Promise<void>((done) => agent.listen(tree.at("agent"), done));
    using _ = await forwardAgent(tree.at("agent"), tree.at("forwarded"));
    expect((await ask(tree.at("forwarded"), Buffer.alloc(8, 0xff), 1)).length).toBe(0);
    agent.close();
  });
});

/** Sends bytes and collects the answer, until it has a length or the other side hangs up. */
async function ask(path: string, bytes: Buffer, length: number): Promise<Buffer> {
  const socket = connect(path);
  const pieces: Buffer[] = [];
  await new Promise<void>((done, fail) => {
    socket.on("error", fail);
    socket.on("close", () => done());
    socket.on("data", (piece: Buffer) => {
      pieces.push(piece);
      if (Buffer.concat(pieces).length >= length) done();
    });
    socket.write(bytes);
  });
  socket.destroy();
  return Buffer.concat(pieces);
}
