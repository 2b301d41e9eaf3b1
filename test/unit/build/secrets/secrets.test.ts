import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { forwardAgent } from "../../../../src/build/secrets/agent-forwarding.ts";
import { openAgent } from "../../../../src/build/secrets/agent-source.ts";
import { readPrivateKey } from "../../../../src/build/secrets/private-key.ts";
import { readSecret } from "../../../../src/build/secrets/secret-source.ts";
import { TemporaryTree } from "../files/trees.ts";

// Making keys takes long where others are at work.
setDefaultTimeout(60_000);

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
  test("is found by its socket", async () => {
    using tree = new TemporaryTree({ key: "" });
    const open = (paths: readonly string[]) => () =>
      void openAgent({ id: "default", paths: paths.map((path) => tree.at(path)) }, {}, tree.at("out"));
    expect(open([])).toThrow(/SSH_AUTH_SOCK is not set/);
    expect(open(["none"])).toThrow(/there is no/);
    expect(open(["key"])).toThrow(/read the ssh key .*: it is no private key/);
    const agent = createServer(() => undefined);
    await new Promise<void>((done) => agent.listen(tree.at("agent"), done));
    expect(open(["key", "agent"])).toThrow(/cannot be together with other paths/);
    agent.close();
    const unusable = { SSH_AUTH_SOCK: tree.at("key") };
    expect(() => openAgent({ id: "default", paths: [] }, unusable, tree.at("out"))).toThrow(/is no socket/);
  });

  test("is one of our own where keys are given, with which OpenSSH lists and signs", async () => {
    using tree = new TemporaryTree();
    const kinds = [
      ...[["ed25519"], ["rsa", "-b", "1024"], ["ecdsa", "-b", "256"], ["ecdsa", "-b", "384"], ["ecdsa", "-b", "521"]],
      ...[
        ["rsa", "-b", "1024", "-m", "PEM"],
        ["ecdsa", "-m", "PEM"],
        ["rsa", "-b", "1024", "-m", "PKCS8"],
      ],
    ];
    const names = kinds.map((words, place) => {
      keygen(tree.at(`key${place}`), words);
      return `key${place}`;
    });
    const paths = names.map((name) => tree.at(name));
    using _ = await openAgent({ id: "a", paths }, {}, tree.at("socket"));
    expect(statSync(tree.at("socket")).mode & 0o777).toBe(0o600);
    const add = async (...words: string[]) => {
      const environment = { ...process.env, SSH_AUTH_SOCK: tree.at("socket") };
      const child = Bun.spawn(["ssh-add", ...words], { env: environment, stdout: "pipe", stderr: "pipe" });
      return { status: await child.exited, output: await child.stdout.text(), errors: await child.stderr.text() };
    };
    const { output } = await add("-L");
    const keysIn = (text: string): readonly string[] => text.match(/^\S+ \S+/gm) ?? [];
    expect(keysIn(output)).toEqual(paths.flatMap((path) => keysIn(readFileSync(`${path}.pub`, "utf8"))));
    // It signs, and OpenSSH verifies that.
    expect(await add("-T", ...paths.map((path) => `${path}.pub`))).toMatchObject({ status: 0 });
    expect((await add("-D")).status).not.toBe(0);
    keygen(tree.at("other"), ["ed25519"]);
    expect((await add("-T", tree.at("other.pub"))).status).not.toBe(0);
    // A request that is shorter than it says.
    const short = Buffer.from([0, 0, 0, 5, 13, 0, 0, 0, 9]);
    expect((await ask(tree.at("socket"), short, 5)).toString("hex")).toBe("0000000105");
  });

  test("refuses keys with a passphrase, and what is none", () => {
    using tree = new TemporaryTree();
    for (const [name, words] of [
      ["openssh", ["ed25519"]],
      ["pem", ["rsa", "-b", "1024", "-m", "PEM"]],
      ["pkcs8", ["rsa", "-b", "1024", "-m", "PKCS8"]],
    ] as const) {
      keygen(tree.at(name), words, "secret");
      expect(() => readPrivateKey(tree.at(name))).toThrow("it is encrypted with a passphrase");
    }
    keygen(tree.at("cut"), ["ed25519"]);
    const text = readFileSync(tree.at("cut"), "utf8");
    writeFileSync(tree.at("cut"), text.slice(0, 200));
    expect(() => readPrivateKey(tree.at("cut"))).toThrow("it ends too early");
    expect(() => readPrivateKey(tree.at("openssh.pub"))).toThrow("it is no private key of ssh");
    expect(() => readPrivateKey(tree.at("none"))).toThrow("ENOENT");
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
    const environment = { SSH_AUTH_SOCK: tree.at("agent") };
    const forwarding = await openAgent({ id: "default", paths: [] }, environment, tree.at("forwarded"));
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

function keygen(path: string, words: readonly string[], passphrase = ""): void {
  const { exitCode } = Bun.spawnSync(["ssh-keygen", "-q", "-N", passphrase, "-C", "a key", "-f", path, "-t", ...words]);
  expect(exitCode).toBe(0);
}

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
