import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { busyboxLayout } from "../../fixtures/images.ts";
import { eventually, UnprivilegedUser } from "../../unprivileged-user.ts";
import { namesIn } from "../image/check-store.ts";

setDefaultTimeout(60_000);

let user: UnprivilegedUser;
let image: string;

beforeAll(() => {
  user = new UnprivilegedUser("bunker-bare");
  image = `oci:${busyboxLayout()}:latest`;
}, 300_000);

afterEach(() =>
  eventually(
    () => user.processes().length === 0,
    () => "no process to be left",
  ),
);

afterAll(() => user?.[Symbol.dispose]());

interface Server extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly process: Bun.Subprocess;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<void>;
}

/**
 * Starts a server on a free port.
 * @param tracer a program with its options that starts the server
 */
async function serve(words: readonly string[], tracer: readonly string[] = []): Promise<Server> {
  const session = user.talk([...tracer, user.bunkerPath, "registry", "serve", "--address", ":0", ...words]);
  const said = await session.expect(/Serving .* at 127\.0\.0\.1:\d+\n/);
  return {
    address: said.trim().split(" at ")[1] ?? "",
    process: session.process,
    async stop() {
      session.process.kill("SIGINT");
      expect(await session.finish()).toMatchObject({ status: 0, errors: "" });
    },
    async [Symbol.asyncDispose]() {
      session.process.kill("SIGKILL");
      await session.process.exited;
    },
  };
}

async function skopeo(...words: readonly string[]): Promise<string> {
  const { status, output, errors } = await user.execute(["skopeo", ...words]);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

function digestOf(inspected: string): string {
  return JSON.parse(inspected).Digest;
}

test("a directory is a registry as long as the command runs", async () => {
  const directory = join(user.home, "images");
  await using server = await serve([directory]);
  await skopeo("copy", "-q", "--dest-tls-verify=false", image, `docker://${server.address}/tools/busybox:1`);
  expect(digestOf(await skopeo("inspect", "--tls-verify=false", `docker://${server.address}/tools/busybox:1`))).toBe(
    digestOf(await skopeo("inspect", image)),
  );
  const tags = await user.bunker(["search", "--list-tags", "--format", "{{.Tag}}", `${server.address}/tools/busybox`]);
  expect(tags.output).toBe("1\n");
  await server.stop();
  // Nothing but the layout is left.
  expect(readdirSync(directory).sort()).toEqual(["blobs", "index.json", "oci-layout"]);

  await using again = await serve(["--read-only", directory]);
  await skopeo(
    "copy",
    "-q",
    "--src-tls-verify=false",
    `docker://${again.address}/tools/busybox:1`,
    `oci:${user.home}/back:x`,
  );
  const refused = await user.execute([
    "skopeo",
    "copy",
    "-q",
    "--dest-tls-verify=false",
    image,
    `docker://${again.address}/new:1`,
  ]);
  expect(refused.errors).toContain("unsupported: this registry is read-only");
  await again.stop();
  for (const name of ["images", "back"]) rmSync(join(user.home, name), { recursive: true });
});

test("a server that is killed leaves a layout that serves on", async () => {
  const directory = join(user.home, "images");
  await using first = await serve([directory]);
  await skopeo("copy", "-q", "--dest-tls-verify=false", image, `docker://${first.address}/kept:1`);
  const opened = await fetch(`http://${first.address}/v2/kept/blobs/uploads/`, { method: "POST" });
  await fetch(new URL(opened.headers.get("location") ?? "", `http://${first.address}`), {
    method: "PATCH",
    body: "half",
  });
  first.process.kill("SIGKILL");
  await first.process.exited;
  await using second = await serve([directory]);
  await skopeo("inspect", "--tls-verify=false", `docker://${second.address}/kept:1`);
  await second.stop();
  expect(readdirSync(directory).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  rmSync(directory, { recursive: true });
});

test("without a directory Bunker's own images are served, and what is pushed becomes one", async () => {
  await using server = await serve([]);
  await skopeo("copy", "-q", "--dest-tls-verify=false", image, `docker://${server.address}/tools/busybox:1`);
  const digest = digestOf(await skopeo("inspect", image));
  expect(digestOf(await skopeo("inspect", "--tls-verify=false", `docker://${server.address}/tools/busybox:1`))).toBe(
    digest,
  );
  const index: { manifests: { annotations: Record<string, string> }[] } = JSON.parse(
    readFileSync(join(user.data, "index.json"), "utf8"),
  );
  const port = server.address.split(":")[1];
  expect(index.manifests.map(({ annotations }) => annotations["org.opencontainers.image.ref.name"])).toEqual([
    `localhost:${port}/tools/busybox:1`,
  ]);
  await server.stop();
  // On another port it is still there.
  await using again = await serve(["--read-only"]);
  expect(digestOf(await skopeo("inspect", "--tls-verify=false", `docker://${again.address}/tools/busybox:1`))).toBe(
    digest,
  );
  await again.stop();
});

test("an image of Bunker's own is deleted with all its names in a repository, and stays by those it has elsewhere", async () => {
  await using server = await serve([]);
  const name = (tag: string) => `docker://${server.address}/${tag}`;
  for (const tag of ["gone:1", "gone:2", "left:1"])
    await skopeo("copy", "-q", "--dest-tls-verify=false", image, name(tag));
  await skopeo("delete", "--tls-verify=false", name("gone:1"));
  const names = async (...words: string[]) =>
    (await user.bunker(["images", "--digests", "--format", "{{.Repository}}:{{.Tag}}", ...words])).output;
  const shown = await names("--filter", `reference=localhost:*/*`);
  expect(shown).toBe(`${server.address.replace(/^[^:]*/, "localhost")}/left:1\n`);
  const asked = await fetch(`http://${server.address}/v2/gone/manifests/1`);
  expect(asked.status).toBe(404);
  await skopeo("inspect", "--tls-verify=false", name("left:1"));
  await skopeo("delete", "--tls-verify=false", name("left:1"));
  await server.stop();
  expect((await user.bunker(["image", "prune", "-f"])).status).toBe(0);
});

test("a list of images is pushed to Bunker's own", async () => {
  const layout = image.slice("oci:".length, -":latest".length);
  const manifest = JSON.parse(await skopeo("inspect", image)).Digest;
  const entry = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: manifest,
    size: readFileSync(`${layout}/blobs/${manifest.replace(":", "/")}`).length,
    platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch },
  };
  await using server = await serve([]);
  await skopeo("copy", "-q", "--dest-tls-verify=false", image, `docker://${server.address}/listed@${manifest}`);
  const put = await fetch(`http://${server.address}/v2/listed/manifests/1`, {
    method: "PUT",
    headers: { "content-type": "application/vnd.oci.image.index.v1+json" },
    body: JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
  });
  expect(put.status).toBe(201);
  expect(digestOf(await skopeo("inspect", "--tls-verify=false", `docker://${server.address}/listed:1`))).toBe(manifest);
  await server.stop();
});

/** The image as what is sent to a server: its manifest, and the blobs that this names. */
function imageParts() {
  const blobs = `${image.slice("oci:".length, -":latest".length)}/blobs/sha256`;
  const read = (digest: string) => readFileSync(`${blobs}/${digest.replace("sha256:", "")}`);
  const index = JSON.parse(readFileSync(`${blobs}/../../index.json`, "utf8"));
  const { digest, size } = index.manifests[0];
  const manifest = read(digest);
  const { config, layers } = JSON.parse(manifest.toString());
  const parts: string[] = [config.digest, layers[0].digest];
  return { digest: digest as string, size: size as number, manifest, parts, read };
}

/** Sends a blob to a server in one request. */
async function upload({ address }: Server, repository: string, digest: string, bytes: Buffer): Promise<void> {
  const url = `http://${address}/v2/${repository}/blobs/uploads/?digest=${digest}`;
  expect((await fetch(url, { method: "POST", body: bytes })).status).toBe(201);
}

function putManifest({ address }: Server, at: string, body: Buffer | string, kind = "manifest"): Promise<Response> {
  const headers = { "content-type": `application/vnd.oci.image.${kind}.v1+json` };
  return fetch(`http://${address}/v2/${at}`, { method: "PUT", headers, body });
}

async function emptyStore(): Promise<void> {
  expect((await user.bunker(["image", "prune", "-af"])).status).toBe(0);
  expect(namesIn(join(user.data, "blobs/sha256"))).toEqual([]);
}

function storedBlob(digest: string): string {
  return join(user.data, "blobs", digest.replace(":", "/"));
}

describe("a prune while an image is pushed to Bunker's own", () => {
  beforeEach(emptyStore);
  afterEach(emptyStore);

  test("takes nothing away from it", async () => {
    const { digest, manifest, parts, read } = imageParts();
    await using server = await serve([]);
    for (const part of parts) await upload(server, "pushed", part, read(part));
    await emptyStore();
    expect((await putManifest(server, "pushed/manifests/1", manifest)).status).toBe(201);
    for (const part of [digest, ...parts]) expect(readFileSync(storedBlob(part))).toEqual(read(part));
    // What an image has is not held any more.
    const staging = readdirSync(user.data).find((name) => name.startsWith(".bunker-")) ?? "none";
    expect(readdirSync(join(user.data, staging))).toEqual([]);
    await server.stop();
  });

  test("takes nothing away that the client was told is there", async () => {
    const { digest, manifest, parts, read } = imageParts();
    await using server = await serve([]);
    for (const part of parts) await upload(server, "first", part, read(part));
    expect((await putManifest(server, "first/manifests/1", manifest)).status).toBe(201);
    const [config, layer] = parts;
    const asked = await fetch(`http://${server.address}/v2/second/blobs/${config}`, { method: "HEAD" });
    expect(asked.status).toBe(200);
    const mounted = `second/blobs/uploads/?mount=${layer}&from=first`;
    expect((await fetch(`http://${server.address}/v2/${mounted}`, { method: "POST" })).status).toBe(201);
    await emptyStore();
    expect((await fetch(`http://${server.address}/v2/third/blobs/${config}`, { method: "HEAD" })).status).toBe(404);
    expect((await putManifest(server, "second/manifests/1", manifest)).status).toBe(201);
    for (const part of [digest, ...parts]) expect(readFileSync(storedBlob(part))).toEqual(read(part));
    await server.stop();
  });

  test("takes nothing away from the images of an index", async () => {
    const { digest, size, manifest, parts, read } = imageParts();
    await using server = await serve([]);
    for (const part of parts) await upload(server, "listed", part, read(part));
    expect((await putManifest(server, `listed/manifests/${digest}`, manifest)).status).toBe(201);
    await emptyStore();
    const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
    const entry = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size, platform };
    const index = JSON.stringify({ schemaVersion: 2, manifests: [entry] });
    expect((await putManifest(server, "listed/manifests/1", index, "index")).status).toBe(201);
    for (const part of [digest, ...parts]) expect(readFileSync(storedBlob(part))).toEqual(read(part));
    await server.stop();
  });

  test("is waited for before it is looked what is there", async () => {
    const { digest, manifest, parts, read } = imageParts();
    await using server = await serve([]);
    for (const part of parts) await upload(server, "waiting", part, read(part));
    // As a prune does, until the input ends.
    const words = ["flock", "-x", join(user.data, "images.lock"), "sh", "-c", "echo locked; exec cat"];
    const pruning = Bun.spawn(words, { stdin: "pipe", stdout: "pipe" });
    try {
      await pruning.stdout.getReader().read();
      const put = putManifest(server, "waiting/manifests/1", manifest);
      let hasAnswered = false;
      put.finally(() => {
        hasAnswered = true;
      });
      const waiting = new RegExp(`-> FLOCK +ADVISORY +READ +${server.process.pid} `);
      await eventually(
        () => hasAnswered || waiting.test(readFileSync("/proc/locks", "utf8")),
        () => "the server to wait for the lock",
      );
      expect(hasAnswered).toBe(false);
      for (const part of parts) rmSync(storedBlob(part));
      pruning.stdin.end();
      expect((await put).status).toBe(201);
      for (const part of [digest, ...parts]) expect(readFileSync(storedBlob(part))).toEqual(read(part));
    } finally {
      pruning.kill();
      await pruning.exited;
    }
    await server.stop();
  });
});

test.each([
  ["a directory", "renamed", () => [join(user.home, "images")]],
  ["Bunker's own", "recorded", () => []],
])("what is pushed to %s is on the disk before it is %s", async (_place, _how, words: () => readonly string[]) => {
  const { manifest, parts, read } = imageParts();
  const trace = join(user.home, "trace");
  const calls = "trace=syncfs,rename,renameat,renameat2,pwrite64";
  // With -D the server is the process that was started, and the tracer ends with it.
  await using server = await serve(words(), ["strace", "-D", "-f", "-y", "-e", calls, "-o", trace]);
  for (const part of parts) await upload(server, "synced", part, read(part));
  expect((await putManifest(server, "synced/manifests/1", manifest)).status).toBe(201);
  // Of those that come after the last blob is in its place.
  const seen = readFileSync(trace, "utf8").split("\n");
  const last = seen.findLastIndex((line) => /\brename.*blobs\/sha256\//.test(line));
  const visible = words().length > 0 ? /\brename.*images\/index\.json/ : /\bpwrite64\(\d+<.*\/state\.db-wal>/;
  const order = seen.slice(last + 1).filter((line) => /\bsyncfs\(.* = 0$/.test(line) || visible.test(line));
  expect(order[0]).toMatch(/syncfs/);
  expect(order.some((line) => visible.test(line))).toBe(true);
  await server.stop();
  for (const path of [trace, ...words()]) rmSync(path, { recursive: true });
  await emptyStore();
});

test.each([
  [["--address", "0.0.0.0:5000"], "only an address of this machine itself"],
  [["--address", "localhost"], "expected HOST:PORT"],
  [["--read-only", "/usr"], "bunker: serve /usr: it is no image layout\n"],
  [["/usr/share"], "bunker: write an image layout to /usr/share: there are other files in the directory\n"],
])("registry serve %j is refused", async (words, message) => {
  const { status, errors } = await user.bunker(["registry", "serve", ...words]);
  expect(errors).toContain(message);
  expect(status).toBe(125);
});

test("a port that is taken is told", async () => {
  await using server = await serve([]);
  const port = server.address.split(":")[1];
  const { status, errors } = await user.bunker(["registry", "serve", "--address", `:${port}`]);
  expect({ status, errors }).toEqual({
    status: 125,
    errors: `bunker: listen on 127.0.0.1:${port}: somebody else listens there\nhint: Give another port with --address; port 0 is any that is free.\n`,
  });
  await server.stop();
});
