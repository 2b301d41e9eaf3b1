import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestOf } from "../../../../../src/image/digest.ts";
import { parseReference } from "../../../../../src/image/reference.ts";
import { listRepositories, listTags } from "../../../../../src/image/registry/lists.ts";
import { listReferrers } from "../../../../../src/image/registry/referrers.ts";
import { Registries } from "../../../../../src/image/registry/registries.ts";
import { layoutContents, makeLayout } from "../../../../../src/image/registry/server/layout-contents.ts";
import { type RegistryServer, startRegistryServer } from "../../../../../src/image/registry/server/registry-server.ts";
import { openLayoutStaging } from "../../../../../src/image/transport/layout-staging.ts";
import { eventually } from "../../../../unprivileged-user.ts";
import { INDEX_TYPE, MANIFEST_TYPE, makeImage } from "../../image-builder.ts";
import { archive } from "../../tar-builder.ts";
import { contentsOf, failureOf, NEVER, openReader, readWhole, SHORT_PATIENCE } from "../reading.ts";
import { copy, memoryImage, noise, openWriter } from "../writing.ts";

let directory: string;
let server: RegistryServer;
let faults: unknown[];
let close: () => Promise<void>;

async function start(isReadOnly = false): Promise<void> {
  const staging = isReadOnly ? undefined : openLayoutStaging(directory);
  server = await startRegistryServer({
    contents: layoutContents(directory, staging),
    staging,
    host: "127.0.0.1",
    port: 0,
    onFault: (fault) => faults.push(fault),
  });
  close = async () => {
    await server[Symbol.asyncDispose]();
    staging?.[Symbol.dispose]();
  };
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bunker-served-"));
  faults = [];
  makeLayout(directory);
  await start();
});

afterEach(async () => {
  await close();
  expect(readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([]);
  rmSync(directory, { recursive: true });
  expect(faults).toEqual([]);
});

/** Runs skopeo while the server, which is in this process, goes on. */
async function skopeo(...words: readonly string[]): Promise<string> {
  const child = Bun.spawn(["skopeo", ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [said, errors, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ errors, status }).toEqual({ errors: "", status: 0 });
  return said;
}

/** Sends a request to the API. */
function send(method: string, path: string, headers: Record<string, string> = {}, body?: Buffer | string) {
  return fetch(`http://${server.address}/v2/${path}`, { method, headers, body: body ?? null, redirect: "manual" });
}

/** The status of an answer and the code of its error. */
async function refusal(answer: Promise<Response>): Promise<[number, string]> {
  const response = await answer;
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  return [response.status, errors[0]?.code ?? ""];
}

test("what is pushed is pulled, and stands in the layout for others", async () => {
  const name = `${server.address}/team/app:1`;
  const { manifest, reader } = memoryImage([noise(2_000_000), Buffer.alloc(0)]);
  await using writer = openWriter(name);
  expect((await copy(reader, writer)).sent.length).toBe(3);
  await using back = openReader(name);
  const read = await back.readManifest();
  expect(read.bytes.equals(manifest.bytes)).toBe(true);
  for (const descriptor of contentsOf(read.bytes)) {
    const bytes = await readWhole(back, descriptor);
    expect(digestOf(bytes)).toBe(descriptor.digest);
    expect((await readWhole(back, descriptor, descriptor.size >> 1)).length).toBe(
      descriptor.size - (descriptor.size >> 1),
    );
  }
  expect(JSON.parse(await skopeo("inspect", "--raw", `oci:${directory}:team/app:1`))).toEqual(
    JSON.parse(manifest.bytes.toString()),
  );
  // A tag goes to the image that comes later, and blobs are in all repositories.
  const next = memoryImage([noise(100)]);
  await using over = openWriter(name);
  await copy(next.reader, over);
  expect((await back.readManifest()).digest).toBe(next.manifest.digest);
  await using other = openWriter(`${server.address}/other:1`);
  expect((await copy(reader, other)).sent).toEqual([]);
});

test("skopeo and Podman's other tools push and pull, also lists of images", async () => {
  const source = mkdtempSync(join(tmpdir(), "bunker-source-"));
  try {
    makeImage(source, [archive([{ name: "file", content: "content" }])], "gzip");
    const remote = `docker://${server.address}/a/b:1`;
    await skopeo("copy", "-q", "--dest-tls-verify=false", `oci:${source}`, remote);
    await skopeo("copy", "-q", "--dest-tls-verify=false", "--format=v2s2", `oci:${source}`, `${remote}-docker`);
    await skopeo("copy", "-q", "--src-tls-verify=false", remote, `dir:${source}/back`);
    expect(await skopeo("list-tags", "--tls-verify=false", remote.slice(0, -2))).toContain('"1-docker"');
    await using docker = openReader(`${server.address}/a/b:1-docker`);
    expect((await docker.readManifest()).mediaType).toBe("application/vnd.docker.distribution.manifest.v2+json");
    await skopeo("delete", "--tls-verify=false", remote);
    await using gone = openReader(`${server.address}/a/b:1`);
    expect(await failureOf(gone.readManifest())).toMatchObject({ code: "image_not_found" });
  } finally {
    rmSync(source, { recursive: true });
  }
});

test("an index is taken after its images, which are found through it", async () => {
  const { manifest, reader } = memoryImage([noise(1_000)]);
  const entry = { mediaType: MANIFEST_TYPE, digest: manifest.digest, size: manifest.bytes.length };
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [entry] });
  const put = () => send("PUT", "listed/manifests/1", { "content-type": INDEX_TYPE }, index);
  expect(await refusal(put())).toEqual([400, "MANIFEST_BLOB_UNKNOWN"]);
  await using writer = openWriter(`${server.address}/listed@${manifest.digest}`);
  await copy(reader, writer);
  expect((await put()).status).toBe(201);
  expect((await send("GET", `listed/manifests/${manifest.digest}`)).status).toBe(200);
  // The index would go on to name it, and it would be there still.
  const remove = (at: string) => send("DELETE", `listed/manifests/${at}`);
  expect(await refusal(remove(manifest.digest))).toEqual([405, "UNSUPPORTED"]);
  expect((await send("GET", `listed/manifests/${manifest.digest}`)).status).toBe(200);
  // Only the index is left to lead to it.
  const kept = JSON.parse(readFileSync(`${directory}/index.json`, "utf8"));
  kept.manifests = kept.manifests.filter((each: { digest: string }) => each.digest !== manifest.digest);
  writeFileSync(`${directory}/index.json`, JSON.stringify(kept));
  expect((await send("GET", `listed/manifests/${manifest.digest}`)).status).toBe(200);
  expect(await refusal(remove(manifest.digest))).toEqual([405, "UNSUPPORTED"]);
  expect(await refusal(send("GET", `unlisted/manifests/${manifest.digest}`))).toEqual([404, "NAME_UNKNOWN"]);
  expect((await remove(digestOf(index))).status).toBe(202);
  expect(await refusal(remove(manifest.digest))).toEqual([404, "NAME_UNKNOWN"]);
});

test("a manifest that was of an index is deleted after it", async () => {
  const { manifest, reader } = memoryImage([noise(1_000)]);
  await using writer = openWriter(`${server.address}/parts@${manifest.digest}`);
  await copy(reader, writer);
  const entry = { mediaType: MANIFEST_TYPE, digest: manifest.digest, size: manifest.bytes.length };
  const inner = JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [entry] });
  const innerEntry = { mediaType: INDEX_TYPE, digest: digestOf(inner), size: inner.length };
  const outer = JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [innerEntry] });
  for (const [at, index] of [[digestOf(inner), inner] as const, ["1", outer] as const]) {
    expect((await send("PUT", `parts/manifests/${at}`, { "content-type": INDEX_TYPE }, index)).status).toBe(201);
  }
  const remove = (at: string) => send("DELETE", `parts/manifests/${at}`);
  for (const digest of [manifest.digest, digestOf(inner)]) {
    expect(await refusal(remove(digest))).toEqual([405, "UNSUPPORTED"]);
  }
  for (const digest of [digestOf(outer), digestOf(inner), manifest.digest]) {
    expect((await remove(digest)).status).toBe(202);
    expect((await send("GET", `parts/manifests/${digest}`)).status).toBe(404);
  }
});

test("whoever has pinned a manifest finds it though its tag has moved on, or was deleted", async () => {
  const images = [memoryImage([noise(1_000)]), memoryImage([noise(1_000)])];
  const found = async (at: string) => (await send("GET", `pinned/manifests/${at}`)).status;
  // There and back.
  for (const image of [...images, ...images]) {
    await using writer = openWriter(`${server.address}/pinned:1`);
    await copy(image.reader, writer);
    expect(await (await send("GET", "pinned/manifests/1")).text()).toBe(image.manifest.bytes.toString());
  }
  const digests = images.map(({ manifest }) => manifest.digest);
  expect(await Promise.all(digests.map(found))).toEqual([200, 200]);
  const entries = JSON.parse(readFileSync(`${directory}/index.json`, "utf8")).manifests;
  expect(entries.filter(({ digest }: { digest: Digest }) => digests.includes(digest))).toHaveLength(2);
  expect((await send("DELETE", "pinned/manifests/1")).status).toBe(202);
  expect(await Promise.all([...digests, "1"].map(found))).toEqual([200, 200, 404]);
  for (const digest of digests) {
    expect((await send("DELETE", `pinned/manifests/${digest}`)).status).toBe(202);
    expect(await found(digest)).toBe(404);
  }
});

test("what has no body has no range either", async () => {
  const blob = noise(1_000);
  await send("POST", `ranges/blobs/uploads/?digest=${digestOf(blob)}`, {}, blob);
  const { status, headers } = await send("HEAD", `ranges/blobs/${digestOf(blob)}`, { range: "bytes=100-199" });
  expect([status, headers.get("content-range"), headers.get("content-length")]).toEqual([200, null, "1000"]);
});

test("answers carry all that the specification says", async () => {
  const blob = noise(1_000);
  const digest = digestOf(blob);
  const config = Buffer.from("{}");
  const shown = async (names: readonly string[], answer: Promise<Response>) => {
    const { status, headers } = await answer;
    return [status, ...names.map((name) => headers.get(name))];
  };
  expect(await shown(["content-type"], send("GET", ""))).toEqual([200, "application/json"]);
  expect((await send("HEAD", `all/blobs/${digest}`)).status).toBe(404);
  const opened = await send("POST", "all/blobs/uploads/");
  const path = opened.headers.get("location")?.replace("/v2/", "") ?? "";
  expect([opened.status, path]).toEqual([202, expect.stringMatching(/^all\/blobs\/uploads\/./)]);
  const names = ["location", "range"];
  const patched = await shown(names, send("PATCH", path, { "content-range": "0-399" }, blob.subarray(0, 400)));
  expect(patched).toEqual([202, `/v2/${path}`, "0-399"]);
  const wrong = send("PATCH", path, { "content-range": "400-401" }, blob.subarray(400));
  expect(await refusal(wrong)).toEqual([400, "SIZE_INVALID"]);
  expect(await shown(names, send("GET", path))).toEqual([204, `/v2/${path}`, "0-399"]);
  const put = send("PUT", `${path}?digest=${digest}`, { "content-range": "400-999" }, blob.subarray(400));
  const whole = ["docker-content-digest", "location"];
  expect(await shown(whole, put)).toEqual([201, digest, `/v2/all/blobs/${digest}`]);
  const about = ["docker-content-digest", "content-length", "content-type"];
  expect(await shown(about, send("HEAD", `all/blobs/${digest}`))).toEqual([
    ...[200, digest, "1000", "application/octet-stream"],
  ]);
  const mounted = await shown(whole, send("POST", `other/blobs/uploads/?mount=${digest}&from=all`));
  expect(mounted).toEqual([201, digest, `/v2/other/blobs/${digest}`]);

  await send("POST", `all/blobs/uploads/?digest=${digestOf(config)}`, {}, config);
  const part = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const subject = { mediaType: MANIFEST_TYPE, digest: digestOf("not here yet"), size: 12 };
  const manifest = JSON.stringify({
    ...{ schemaVersion: 2, mediaType: MANIFEST_TYPE, subject, annotations: { of: "mine" } },
    ...{ config: part(config, "application/vnd.example"), layers: [part(blob, "application/octet-stream")] },
  });
  const sent = send("PUT", "all/manifests/1", { "content-type": MANIFEST_TYPE }, manifest);
  expect(await shown([...whole, "oci-subject"], sent)).toEqual([
    ...[201, digestOf(manifest), `/v2/all/manifests/${digestOf(manifest)}`, subject.digest],
  ]);
  for (const at of ["1", digestOf(manifest)]) {
    const answers = ["HEAD", "GET"].map((method) => shown(about, send(method, `all/manifests/${at}`)));
    const expected = [200, digestOf(manifest), String(manifest.length), MANIFEST_TYPE];
    expect(await Promise.all(answers)).toEqual([expected, expected]);
  }
  const referrers = (query: string) => send("GET", `all/referrers/${subject.digest}${query}`);
  const filtered = await shown(["oci-filters-applied", "content-type"], referrers("?artifactType=none"));
  expect(filtered).toEqual([200, "artifactType", INDEX_TYPE]);
  expect(await shown(["oci-filters-applied"], referrers(""))).toEqual([200, null]);
  expect(await (await referrers("")).json()).toEqual({
    ...{ schemaVersion: 2, mediaType: INDEX_TYPE },
    manifests: [
      {
        ...part(Buffer.from(manifest), MANIFEST_TYPE),
        ...{ artifactType: "application/vnd.example", annotations: { of: "mine" } },
      },
    ],
  });
  expect((await send("DELETE", `all/manifests/${digestOf(manifest)}`)).status).toBe(202);
  expect((await send("GET", "all/manifests/1")).status).toBe(404);
});

test("uploads: whole, in chunks, resumed, out of order, cancelled", async () => {
  const blob = noise(1_000);
  const digest = digestOf(blob);
  const single = await send("POST", `up/blobs/uploads/?digest=${digest}`, {}, blob);
  expect([single.status, single.headers.get("location")]).toEqual([201, `/v2/up/blobs/${digest}`]);

  const other = noise(1_000);
  const opened = await send("POST", "up/blobs/uploads/");
  expect(opened.status).toBe(202);
  const path = (opened.headers.get("location") ?? "").replace("/v2/", "");
  const patch = (start: number, end: number) =>
    send("PATCH", path, { "content-range": `${start}-${end - 1}` }, other.subarray(start, end));
  expect((await patch(0, 400)).status).toBe(202);
  expect(await refusal(patch(500, 1_000))).toEqual([416, "BLOB_UPLOAD_INVALID"]);
  const status = await send("GET", path);
  expect([status.status, status.headers.get("range")]).toEqual([204, "0-399"]);
  expect((await patch(400, 1_000)).status).toBe(202);
  expect(await refusal(send("PUT", path.replace("up/", "elsewhere/")))).toEqual([400, "DIGEST_INVALID"]);
  expect((await send("PUT", `${path}?digest=${digestOf(other)}`)).status).toBe(201);
  expect(Buffer.from(await (await send("GET", `up/blobs/${digestOf(other)}`)).bytes()).equals(other)).toBe(true);
  expect(await refusal(send("GET", path))).toEqual([404, "BLOB_UPLOAD_UNKNOWN"]);

  expect(await refusal(send("POST", `up/blobs/uploads/?digest=${digestOf("x")}`, {}, blob))).toEqual([
    400,
    "DIGEST_INVALID",
  ]);
  const long = digestOf(blob, "sha512");
  expect((await send("POST", `up/blobs/uploads/?digest=${long}`, {}, blob)).status).toBe(201);

  const cancelled = await send("POST", "up/blobs/uploads/");
  const cancelledPath = (cancelled.headers.get("location") ?? "").replace("/v2/", "");
  expect((await send("DELETE", cancelledPath)).status).toBe(204);
  expect(await refusal(send("PUT", `${cancelledPath}?digest=${digest}`, {}, blob))).toEqual([
    404,
    "BLOB_UPLOAD_UNKNOWN",
  ]);
  const mounted = await send("POST", `down/blobs/uploads/?mount=${digest}&from=up`);
  expect(mounted.status).toBe(201);
  const unknown = await send("POST", `down/blobs/uploads/?mount=${digestOf("unknown")}&from=up`);
  expect(unknown.status).toBe(202);
});

test.each([
  ["bytes=0-9", 206, 0, 10],
  ["bytes=990-", 206, 990, 1_000],
  ["bytes=990-5000", 206, 990, 1_000],
  ["bytes=-10", 206, 990, 1_000],
  ["bytes=1000-", 416, 0, 0],
  ["bytes=5-2", 416, 0, 0],
  ["lines=1-2", 200, 0, 1_000],
])("a blob's range %s", async (range, status, start, end) => {
  const blob = noise(1_000);
  await send("POST", `ranges/blobs/uploads/?digest=${digestOf(blob)}`, {}, blob);
  const response = await send("GET", `ranges/blobs/${digestOf(blob)}`, { range });
  expect(response.status).toBe(status);
  expect(Buffer.from(await response.bytes()).equals(blob.subarray(start, end))).toBe(true);
  const head = await send("HEAD", `ranges/blobs/${digestOf(blob)}`);
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "1000"]);
});

test("of an upload in one request that breaks off, or has no digest, nothing is kept", async () => {
  const staged = () =>
    readdirSync(directory)
      .filter((name) => name.startsWith("."))
      .flatMap((name) => readdirSync(join(directory, name)));
  expect(await refusal(send("POST", "one/blobs/uploads/?digest=none", {}, "bytes"))).toEqual([400, "DIGEST_INVALID"]);
  expect(staged()).toEqual([]);
  const [host = "", port] = server.address.split(":");
  const socket = connect(Number(port), host);
  const path = `/v2/one/blobs/uploads/?digest=${digestOf(Buffer.from("bytes"))}`;
  socket.write(`POST ${path} HTTP/1.1\r\nHost: ${server.address}\r\nContent-Length: 5\r\n\r\nby`);
  await eventually(
    () => staged().length === 1,
    () => "an upload to begin",
  );
  socket.destroy();
  await eventually(
    () => staged().length === 0,
    () => "nothing to be left of it",
  );
});

test("artifacts are listed under what they refer to, and by their kind", async () => {
  const name = `${server.address}/signed`;
  const { manifest, reader } = memoryImage([noise(1_000)]);
  await using writer = openWriter(`${name}:1`);
  await copy(reader, writer);
  const subject = { mediaType: MANIFEST_TYPE, digest: manifest.digest, size: manifest.bytes.length };
  const signature = memoryImage([noise(100)], { subject, artifactType: "application/x.signature" });
  await using artifactWriter = openWriter(`${name}@${signature.manifest.digest}`);
  await copy(signature.reader, artifactWriter);
  using registries = new Registries({ patience: SHORT_PATIENCE }, () => undefined);
  const repository = registries.forPush(parseReference(name));
  const digests = async (type?: string) =>
    (await listReferrers(repository, manifest.digest, name, NEVER, type)).map(({ digest }) => digest);
  expect(await digests()).toEqual([signature.manifest.digest]);
  expect(await digests("application/x.signature")).toEqual([signature.manifest.digest]);
  expect(await digests("application/x.other")).toEqual([]);
  // The server keeps the list itself: there is no tag for it.
  expect(await Array.fromAsync(listTags(repository, name, NEVER))).toEqual(["1"]);
  expect((await send("DELETE", `signed/manifests/${signature.manifest.digest}`)).status).toBe(202);
  expect(await digests()).toEqual([]);
});

test("tags and repositories are listed page by page", async () => {
  const { reader } = memoryImage([]);
  for (const name of ["b:2", "b:10", "b:1", "a/x:1"]) {
    await using writer = openWriter(`${server.address}/${name}`);
    await copy(reader, writer);
  }
  const first = await send("GET", "b/tags/list?n=2");
  expect(await first.json()).toEqual({ name: "b", tags: ["1", "10"] });
  expect(first.headers.get("link")).toBe('</v2/b/tags/list?n=2&last=10>; rel="next"');
  const second = await send("GET", "b/tags/list?n=2&last=10");
  expect(await second.json()).toEqual({ name: "b", tags: ["2"] });
  expect(second.headers.get("link")).toBeNull();
  expect(await (await send("GET", "b/tags/list?n=0")).json()).toEqual({ name: "b", tags: [] });
  using registries = new Registries({ patience: SHORT_PATIENCE }, () => undefined);
  expect(await Array.fromAsync(listRepositories(registries.registry(server.address), NEVER))).toEqual(["a/x", "b"]);
});

test.each<[string, string, string, [number, string], Record<string, string>]>([
  ["a name in capitals", "GET", "Bad/manifests/1", [400, "NAME_INVALID"], {}],
  ["a path out of the layout", "GET", "..%2f..%2fetc/blobs/passwd", [400, "NAME_INVALID"], {}],
  ["a digest of another kind", "GET", "a/blobs/md5:abc", [400, "DIGEST_INVALID"], {}],
  ["a digest with a path in it", "GET", "a/blobs/sha256:..%2f..%2fpasswd", [404, "UNSUPPORTED"], {}],
  ["a missing blob", "GET", `a/blobs/${digestOf("missing")}`, [404, "BLOB_UNKNOWN"], {}],
  ["a missing repository", "GET", "a/manifests/1", [404, "NAME_UNKNOWN"], {}],
  ["the tags of one", "GET", "a/tags/list", [404, "NAME_UNKNOWN"], {}],
  ["a tag that is none", "GET", "a/manifests/-x", [400, "TAG_INVALID"], {}],
  ["the deletion of a blob", "DELETE", `a/blobs/${digestOf("missing")}`, [405, "UNSUPPORTED"], {}],
  ["the deletion of tags", "DELETE", "a/tags/list", [405, "UNSUPPORTED"], {}],
  ["the deletion of referrers", "DELETE", `a/referrers/${digestOf("missing")}`, [405, "UNSUPPORTED"], {}],
  ["another API", "GET", "a/b/c", [404, "UNSUPPORTED"], {}],
  ["a page of the Web's", "GET", "", [403, "DENIED"], { host: "rebound.example.com:5000" }],
])("%s is refused", async (_name, method, path, expected, headers) => {
  expect(await refusal(send(method, path, headers))).toEqual(expected);
});

test.each([
  ["no JSON", "{", "it is not JSON"],
  ["schema 1", '{"schemaVersion":1}', "schemaVersion: its schema is not version 2"],
  ["4 MiB and more", " ".repeat((4 << 20) + 1), "a manifest has at most 4 MiB"],
])("a manifest of %s is refused", async (_name, body, message) => {
  const response = await send("PUT", "a/manifests/1", { "content-type": MANIFEST_TYPE }, body);
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(await response.text()).toContain(message);
});

test("what is read-only cannot be changed", async () => {
  const { manifest, reader } = memoryImage([noise(100)]);
  await using writer = openWriter(`${server.address}/fixed:1`);
  await copy(reader, writer);
  await close();
  await start(true);
  await using back = openReader(`${server.address}/fixed:1`);
  expect((await back.readManifest()).digest).toBe(manifest.digest);
  expect(await refusal(send("POST", "fixed/blobs/uploads/"))).toEqual([405, "UNSUPPORTED"]);
  expect(await refusal(send("DELETE", "fixed/manifests/1"))).toEqual([405, "UNSUPPORTED"]);
});

test.each([
  ["by its origin", { origin: "https://example.com" }],
  ["of a sandbox, by its origin", { origin: "null" }],
  ["by what the browser says of its site", { "sec-fetch-site": "cross-site" }],
])("a web page is recognised %s, and brings no blob", async (_name, headers: Record<string, string>) => {
  const content = noise(1_000);
  const path = `x/blobs/uploads/?digest=${digestOf(content)}`;
  const type = { "content-type": "text/plain" };
  expect(await refusal(send("POST", path, { ...type, ...headers }, content))).toEqual([403, "DENIED"]);
  expect(readdirSync(join(directory, "blobs/sha256"))).toEqual([]);
  expect((await send("POST", path, type, content)).status).toBe(201);
});
