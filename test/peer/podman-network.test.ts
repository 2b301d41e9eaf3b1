/*
 * Podman, from Debian's package and as an ordinary user, with Bunker as its slirp4netns: outbound connections, the
 * resolver, and published ports by the API socket.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chownSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { busyboxLayout } from "../fixtures/images.ts";
import { finish, kill, type Outcome, UnprivilegedUser } from "../unprivileged-user.ts";

setDefaultTimeout(60_000);

const WITHOUT_UNIFIED_CGROUPS = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"';

let user: UnprivilegedUser;
let image = "";
/** Short, since Podman puts sockets into it. */
let runtimeDirectory = "";
let server: Server;
let port = 0;

function start(...words: string[]) {
  const storage = [`--root=${user.directory}/storage`, `--runroot=${user.directory}/runroot`];
  const network = `--network-cmd-path=${user.directory}/slirp4netns`;
  const options = [...storage, network, "--cgroup-manager=cgroupfs", "--events-backend=file"];
  const command = user.as(["podman", ...options, ...words]);
  return user.startAsRoot(["unshare", "-m", "sh", "-c", WITHOUT_UNIFIED_CGROUPS, "sh", ...command], {
    environment: { XDG_RUNTIME_DIR: runtimeDirectory },
  });
}

function podman(...words: string[]): Promise<Outcome> {
  return finish(start(...words));
}

beforeAll(async () => {
  user = new UnprivilegedUser();
  symlinkSync("bunker", `${user.directory}/slirp4netns`);
  for (const name of ["storage", "runroot"]) user.makeDirectory(name);
  runtimeDirectory = mkdtempSync("/tmp/bp-");
  chownSync(runtimeDirectory, user.uid, user.gid);
  server = createServer((socket) => socket.end("hello from the host\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
  const pulled = await podman("pull", "--quiet", `oci:${busyboxLayout()}:latest`);
  expect(pulled).toMatchObject({ status: 0 });
  image = pulled.output.trim();
}, 300_000);

afterAll(async () => {
  await podman("rm", "--force", "--all", "--time=0");
  for (const pid of user.processes()) kill(pid);
  server.close();
  rmSync(runtimeDirectory, { recursive: true, force: true });
  user[Symbol.dispose]();
});

test("a container has its address, resolver and gateway", async () => {
  const script = "ip -4 -o addr show tap0 | tr -s ' ' | cut -d' ' -f4; head -1 /etc/resolv.conf; ip route | head -1";
  const { status, output } = await podman("run", "--rm", "--network=slirp4netns", image, "sh", "-c", script);
  expect({ status, output }).toEqual({
    status: 0,
    output: expect.stringMatching(/^10\.0\.2\.100\/24\nnameserver 10\.0\.2\.3\ndefault via 10\.0\.2\.2 dev tap0/),
  });
});

test("the host's loopback is reached only when it is allowed", async () => {
  const script = `nc -w 5 10.0.2.2 ${port} </dev/null || echo refused`;
  const run = (network: string) => podman("run", "--rm", `--network=${network}`, image, "sh", "-c", script);
  expect(await run("slirp4netns")).toMatchObject({ output: "refused\n" });
  expect(await run("slirp4netns:allow_host_loopback=true")).toMatchObject({ output: "hello from the host\n" });
});

test("a port that Podman publishes by the API leads into the container", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, resolve));
  const address = other.address();
  const free = typeof address === "object" && address !== null ? address.port : 0;
  await new Promise((resolve) => other.close(resolve));
  const serve = 'echo "hello from the container" | nc -l -p 80';
  const network = "--network=slirp4netns:port_handler=slirp4netns";
  const container = start("run", "--rm", network, "-p", `${free}:80`, image, "sh", "-c", serve);
  let text = "";
  // Until the container listens, connections are refused or reset.
  while (text === "" && container.exitCode === null) {
    await new Promise<void>((resolve) => {
      Bun.connect({
        hostname: "127.0.0.1",
        port: free,
        socket: {
          data: (_socket, data) => {
            text += data.toString();
          },
          close: () => resolve(),
          error: () => resolve(),
        },
      }).catch(() => resolve());
    });
    await Bun.sleep(10);
  }
  expect(text).toBe("hello from the container\n");
  await finish(container);
});
