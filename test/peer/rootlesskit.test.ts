/*
 * RootlessKit, from Debian's package and as an ordinary user, with Bunker as its slirp4netns, in the sandbox: addresses,
 * the resolver, the host's loopback, and ports by RootlessKit's driver for the API socket and by its own.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chownSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { finish, kill, UnprivilegedUser } from "../unprivileged-user.ts";

setDefaultTimeout(60_000);

let user: UnprivilegedUser;
/** Short, since RootlessKit puts sockets into directories of it. */
let states = "";

beforeAll(() => {
  user = new UnprivilegedUser();
  symlinkSync("bunker", `${user.directory}/slirp4netns`);
  states = mkdtempSync("/tmp/rk-");
  chownSync(states, user.uid, user.gid);
});

afterAll(() => {
  for (const pid of user.processes()) kill(pid);
  rmSync(states, { recursive: true, force: true });
  user[Symbol.dispose]();
});

let count = 0;

function rootlesskit(options: readonly string[], script: string) {
  const network = [`--slirp4netns-binary=${user.directory}/slirp4netns`, "--net=slirp4netns", "--copy-up=/etc"];
  // RootlessKit looks into the help for both.
  const confined = ["--slirp4netns-sandbox=true", "--slirp4netns-seccomp=true"];
  const words = ["rootlesskit", `--state-dir=${states}/${++count}`, ...network, ...confined, ...options];
  return user.start([...words, "sh", "-c", script]);
}

async function listen(text: string) {
  const server = createServer((socket) => socket.end(text));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, [Symbol.dispose]: () => void server.close() };
}

test("a namespace has its address, resolver and gateway, and the host's loopback where it may", async () => {
  using server = await listen("hello from the host\n");
  const script = `
    ip -4 -o addr show tap0 | tr -s ' ' | cut -d' ' -f4
    cat /etc/resolv.conf
    busybox nc -w 5 10.0.2.2 ${server.port} </dev/null || echo refused`;
  const addresses = "10.0.2.100/24\nnameserver 10.0.2.3\n";
  expect(await finish(rootlesskit([], script))).toMatchObject({ output: `${addresses}hello from the host\n` });
  expect(await finish(rootlesskit(["--disable-host-loopback"], script))).toMatchObject({
    output: `${addresses}refused\n`,
  });
});

test.each(["slirp4netns", "builtin"])("a port by the driver %s leads into the namespace", async (driver) => {
  let port: number;
  {
    using free = await listen("");
    ({ port } = free);
  }
  const options = [`--port-driver=${driver}`, "-p", `127.0.0.1:${port}:80/tcp`, "--ipv6", "--mtu=1500"];
  const session = rootlesskit(options, "echo hello | busybox nc -l -p 80");
  let text = "";
  // Until the namespace's server listens, connections are refused or reset.
  while (text === "" && session.exitCode === null) {
    const { promise, resolve } = Promise.withResolvers<void>();
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_socket, data) => {
          text += data.toString();
        },
        close: () => resolve(),
        error: () => resolve(),
      },
    }).catch(() => resolve());
    await promise;
    await Bun.sleep(10);
  }
  expect(text).toBe("hello\n");
  await finish(session);
});
