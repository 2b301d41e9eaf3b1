/* How registries are reached: registries.conf, proxies, certificates, credential helpers, connections that break. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { DockerRegistry } from "../../docker-registry.ts";
import { busyboxLayout } from "../../fixtures/images.ts";
import { storeImages } from "../../fixtures/stored-images.ts";
import { pack } from "../../unit/image/image-builder.ts";
import { startProxy } from "../../unit/image/registry/connect-proxy.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { output, UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(120_000);

/** A host that only a proxy knows. */
const FAR = "registry.example.com";

let user: UnprivilegedUser;
let registry: DockerRegistry;
let secured: DockerRegistry;

beforeAll(async () => {
  user = new UnprivilegedUser();
  registry = await DockerRegistry.start();
  secured = await DockerRegistry.start({ tls: true, hosts: [FAR], users: { alice: "wonderland" } });
  const source = `oci:${busyboxLayout()}:latest`;
  for (const name of ["team/app:1", "copies/app:1"]) {
    output(["skopeo", "copy", "-q", "--dest-tls-verify=false", source, `docker://${registry.host}/${name}`]);
  }
  const login = ["--dest-tls-verify=false", "--dest-creds", "alice:wonderland"];
  output(["skopeo", "copy", "-q", ...login, source, `docker://${secured.host}/team/app:1`]);
}, 300_000);

afterEach(async () => {
  for (const name of [".config", ".docker", "bin"]) rmSync(join(user.home, name), { recursive: true, force: true });
  rmSync(user.data, { recursive: true, force: true });
  await user.expectNothingLeft();
});

afterAll(async () => {
  user?.[Symbol.dispose]();
  await registry?.[Symbol.asyncDispose]();
  await secured?.[Symbol.asyncDispose]();
});

/** Writes a file below the user's home, whoever owns it; returns its path. */
function write(name: string, content: string | Buffer): string {
  const path = join(user.home, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

function configure(content: string): void {
  write(".config/containers/registries.conf", content);
}

const pull = (name: string, environment: Readonly<Record<string, string>> = {}, ...words: readonly string[]) =>
  user.bunker(["pull", "-q", "--retry-delay", "10ms", ...words, name], { environment });

const names = async () => (await user.bunker(["images", "--format", "{{.Repository}}:{{.Tag}}"])).output;

test("a mirror is asked first, and its image has the registry's name", async () => {
  configure(`[[registry]]
prefix = "far.example.com/team"
location = "127.0.0.1:1/team"
[[registry.mirror]]
location = "127.0.0.1:2/nobody"
[[registry.mirror]]
location = "${registry.host}/copies"
`);
  expect(await pull("far.example.com/team/app:1")).toMatchObject({ status: 0, errors: "" });
  expect(await names()).toBe("far.example.com/team/app:1\n");
  const ran = await user.bunker(["run", "--rm", "far.example.com/team/app:1", "echo", "hello"]);
  expect(ran).toEqual({ status: 0, output: "hello\n", errors: "" });
});

test("a registry that is blocked is neither pulled from nor pushed to", async () => {
  configure(`[[registry]]\nlocation = "${registry.host}"\nblocked = true\n`);
  const name = `${registry.host}/team/app:1`;
  const refused = { status: 125, output: "", errors: `bunker: use ${name}: registries.conf blocks ${registry.host}\n` };
  expect(await pull(name)).toEqual(refused);
  storeImages(user, [{ names: [name], layers: [] }]);
  expect(await user.bunker(["push", "-q", name])).toEqual({ ...refused, status: 1 });
});

test("a short name is searched for in one registry after the other, or means its alias", async () => {
  configure(`unqualified-search-registries = ["${secured.host}", "127.0.0.1:1", "${registry.host}"]
[aliases]
"short" = "${registry.host}/copies/app"
`);
  expect(await pull("team/app:1")).toMatchObject({ status: 0, errors: "" });
  expect(await pull("short:1")).toMatchObject({ status: 0, errors: "" });
  expect((await names()).split("\n").filter(Boolean).sort()).toEqual(
    [`${registry.host}/copies/app:1`, `${registry.host}/team/app:1`].sort(),
  );
});

test("when no registry has a short name, each one's answer is told, in one message", async () => {
  await using other = await DockerRegistry.start();
  configure(`unqualified-search-registries = ["${registry.host}", "${other.host}"]`);
  const answer = (host: string) =>
    ` * read the manifest of ${host}/none:1: ${host} answers 404: MANIFEST_UNKNOWN: manifest unknown\n`;
  const hint = "hint: Write the name with its registry in front to ask that one alone.\n";
  expect(await pull("none:1")).toEqual({
    status: 125,
    output: "",
    errors: `${answer(registry.host)}${answer(other.host)}bunker: pull none:1: none of the 2 registries that were searched has it\n${hint}`,
  });
  configure(`unqualified-search-registries = ["127.0.0.1:1", "${other.host}"]`);
  expect((await pull("none:1")).errors).toBe(
    ` * read the manifest of 127.0.0.1:1/none:1: 127.0.0.1:1: connection refused\n${answer(other.host)}bunker: pull none:1: it did not come from any of the 2 registries that were searched\n${hint}`,
  );
});

test.each(["HTTPS_PROXY", "https_proxy"])("%s leads to a registry with TLS, NO_PROXY past it", async (variable) => {
  await using proxy = await startProxy(Number(secured.host.split(":")[1]));
  const environment = { [variable]: `http://user:word@127.0.0.1:${proxy.port}` };
  const name = `${FAR}/team/app:1`;
  const login = ["--creds", "alice:wonderland"];
  expect((await pull(name, environment, ...login)).errors).toContain(
    `${FAR}: its certificate is by an unknown authority`,
  );
  write(`.config/containers/certs.d/${FAR}/ca.crt`, readFileSync(secured.authority ?? ""));
  expect(await pull(name, environment, ...login)).toMatchObject({ status: 0, errors: "" });
  const pushed = await user.bunker(["push", "-q", ...login, name, `${FAR}/pushed/app:1`], { environment });
  expect(pushed).toMatchObject({ status: 0, errors: "" });
  expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${FAR}:443 Basic dXNlcjp3b3Jk`]));
  const asked = proxy.asked.length;
  const past = await pull(name, {
    ...environment,
    [variable === "HTTPS_PROXY" ? "NO_PROXY" : "no_proxy"]: ".example.com",
  });
  expect(past).toMatchObject({ status: 125, errors: expect.stringContaining(`${FAR}: `) });
  expect(proxy.asked.length).toBe(asked);
});

test("HTTP_PROXY leads to a registry without TLS", async () => {
  await using proxy = await startProxy(Number(registry.host.split(":")[1]));
  configure(`[[registry]]\nlocation = "${FAR}:5000"\ninsecure = true\n`);
  const address = `http://127.0.0.1:${proxy.port}`;
  const environment = { HTTP_PROXY: address, HTTPS_PROXY: address };
  expect(await pull(`${FAR}:5000/team/app:1`, environment)).toMatchObject({ status: 0, errors: "" });
  const pushed = await user.bunker(["push", "-q", `${FAR}:5000/team/app:1`, `${FAR}:5000/proxied:1`], { environment });
  expect(pushed).toMatchObject({ status: 0, errors: "" });
  expect(proxy.asked).toContain(`GET http://${FAR}:5000/v2/team/app/manifests/1 undefined`);
  output(["skopeo", "inspect", "--tls-verify=false", `docker://${registry.host}/proxied:1`]);
});

test("a proxy that is not there is told", async () => {
  const { status, errors } = await pull(`${FAR}/team/app:1`, { HTTPS_PROXY: "http://127.0.0.1:1" });
  expect(errors).toMatch(/^bunker: read the manifest of registry\.example\.com\/team\/app:1: .*connection refused\n/);
  expect(status).toBe(125);
});

test.each(["SSL_CERT_FILE", "SSL_CERT_DIR"])("%s names the authorities that are trusted", async (variable) => {
  const authority = join(user.makeDirectory(variable), "ca.crt");
  copyFileSync(secured.authority ?? "", authority);
  chmodSync(authority, 0o644);
  const words = ["--tls-verify", "--creds", "alice:wonderland"];
  const name = `${secured.host}/team/app:1`;
  expect((await pull(name, {}, ...words)).errors).toContain("its certificate is by an unknown authority");
  const value = variable === "SSL_CERT_FILE" ? authority : dirname(authority);
  expect(await pull(name, { [variable]: value }, ...words)).toMatchObject({ status: 0, errors: "" });
});

test("a credential helper gives the login for a pull and a push", async () => {
  write(".docker/config.json", JSON.stringify({ credHelpers: { [secured.host]: "test" } }));
  const helper = write(
    "bin/docker-credential-test",
    `#!/bin/sh
read -r server
test "$1 $server" = "get ${secured.host}" || { echo "no $1 for $server"; exit 1; }
cat "$HOME/bin/answer" 2>/dev/null || { echo "the keyring is locked"; exit 1; }
`,
  );
  chmodSync(helper, 0o755);
  write(`.config/containers/certs.d/${secured.host}/ca.crt`, readFileSync(secured.authority ?? ""));
  const environment = { PATH: `${join(user.home, "bin")}:${user.environment["PATH"]}` };
  const name = `${secured.host}/team/app:1`;
  expect(await pull(name, environment)).toMatchObject({
    status: 125,
    errors: expect.stringMatching(/docker-credential-test.*the keyring is locked/),
  });
  write("bin/answer", JSON.stringify({ ServerURL: secured.host, Username: "alice", Secret: "wonderland" }));
  expect(await pull(name, environment)).toMatchObject({ status: 0, errors: "" });
  const pushed = await user.bunker(["push", "-q", name, `${secured.host}/helped/app:1`], { environment });
  expect(pushed).toMatchObject({ status: 0, errors: "" });
});

/** Starts a relay to a port of this machine, which cuts the connection by which so many bytes have come, once. */
async function startBreakingRelay(port: number, bytes: number) {
  let hasCut = false;
  let brought = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    client.on("close", () => upstream.end());
    upstream.on("close", () => client.destroy());
    client.on("data", (piece) => {
      brought += piece.length;
      upstream.write(piece);
      if (hasCut || brought < bytes) return;
      hasCut = true;
      client.destroy();
    });
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    hasCut: () => hasCut,
    /** Bytes that clients have brought. */
    brought: () => brought,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a push goes on where the registry has it when its connection breaks in a layer", async () => {
  const layer = pack(archive([{ name: "large", content: Buffer.alloc(24 << 20, "what is pushed\n") }]));
  const { length } = layer.bytes;
  const served = join(user.makeDirectory("served"), "layout");
  // Debian's registry forgets an upload that breaks; this one keeps what has come.
  const session = user.talk([user.bunkerPath, "registry", "serve", "--address", "127.0.0.1:0", served]);
  try {
    const [, port = ""] = /:(\d+)\n/.exec(await session.expect(/Serving .*:\d+\n/)) ?? [];
    await using relay = await startBreakingRelay(Number(port), length / 2);
    storeImages(user, [{ names: [`${relay.host}/broken:1`], layers: [layer] }]);
    const { status, output: said, errors } = await user.bunker(["push", `${relay.host}/broken:1`]);
    expect({ status, errors, hasCut: relay.hasCut() }).toEqual({ status: 0, errors: "", hasCut: true });
    // What had come is not sent again.
    expect(relay.brought()).toBeLessThan(1.25 * length);
    const inspected = output(["skopeo", "inspect", "--tls-verify=false", `docker://127.0.0.1:${port}/broken:1`]);
    expect(said).toContain(`digest: ${JSON.parse(inspected).Digest}`);
  } finally {
    session.process.kill("SIGINT");
    await session.process.exited;
  }
});
