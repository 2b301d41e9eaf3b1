import { afterAll, beforeAll, expect, test } from "bun:test";
import type { IncomingMessage, ServerResponse } from "node:http";
import { digestOf } from "../../../../src/image/digest.ts";
import { INDEX_MEDIA_TYPE } from "../../../../src/image/media-types.ts";
import { parseReference } from "../../../../src/image/reference.ts";
import { putManifest } from "../../../../src/image/registry/manifests.ts";
import { listReferrers } from "../../../../src/image/registry/referrers.ts";
import { Registries } from "../../../../src/image/registry/registries.ts";
import { DockerRegistry } from "../../../docker-registry.ts";
import { output } from "../../../unprivileged-user.ts";
import { MANIFEST_TYPE } from "../image-builder.ts";
import { contentsOf, failureOf, NEVER, openReader, readWhole, SHORT_PATIENCE } from "./reading.ts";
import { refuse, startScriptedServer } from "./scripted-server.ts";
import { copy, memoryImage, noise, openWriter } from "./writing.ts";

let registry: DockerRegistry;

beforeAll(async () => {
  registry = await DockerRegistry.start();
});

afterAll(() => registry[Symbol.asyncDispose]());

test("an image is pushed as it is, and nothing that is there already is sent again", async () => {
  const name = `${registry.host}/pushed:1`;
  const { manifest, reader } = memoryImage([noise(60_000), noise(60_000), Buffer.alloc(0)]);
  await using writer = openWriter(name);
  const { sent, progress } = await copy(reader, writer);
  expect(sent.length).toBe(4);
  expect(progress).toBe(sent.reduce((sum, { size }) => sum + size, 0));
  await using back = openReader(name);
  expect((await back.readManifest()).bytes.equals(manifest.bytes)).toBe(true);
  const seen = JSON.parse(output(["skopeo", "inspect", "--tls-verify=false", `docker://${name}`]));
  expect(seen.Digest).toBe(manifest.digest);
  await using again = openWriter(`${registry.host}/pushed:2`);
  expect((await copy(reader, again)).sent).toEqual([]);
});

test("the name shows nothing before the commit", async () => {
  const name = `${registry.host}/uncommitted:1`;
  const { manifest } = memoryImage([]);
  await using writer = openWriter(name);
  await writer.writeManifest(manifest, true);
  await using reader = openReader(name);
  expect(await failureOf(reader.readManifest())).toMatchObject({ code: "image_not_found" });
});

test("blobs of another repository of the same registry are mounted, not sent", async () => {
  const { reader } = memoryImage([noise(60_000)]);
  await using first = openWriter(`${registry.host}/mounted/from:1`);
  await copy(reader, first);
  await using source = openReader(`${registry.host}/mounted/from:1`);
  await using writer = openWriter(`${registry.host}/mounted/to:1`);
  expect((await copy(source, writer)).sent).toEqual([]);
});

test("a mount that is not allowed leaves the blob to be sent", async () => {
  const { manifest, reader } = memoryImage([noise(1_000)]);
  await using server = await startScriptedServer(async (request, response) => {
    await request.resume();
    if (request.url?.includes("mount=")) refuse(response, 403, "DENIED");
    else if (request.method === "HEAD") response.writeHead(404).end();
    else response.writeHead(request.method === "POST" ? 202 : 201, { location: "/v2/to/blobs/uploads/1" }).end();
  });
  await using writer = openWriter(`${server.host}/to:1`);
  const from = { ...reader, repositoriesOf: () => ["example.com/other", `${server.host}/from`] };
  expect((await copy(from, writer)).sent).toEqual([...contentsOf(manifest.bytes)]);
  const mounts = server.requests.filter((request) => request.includes("mount="));
  expect(mounts.length).toBe(2);
  expect(mounts[0]).toContain("from=from");
});

test("a blob with other bytes than its digest says is refused, and the registry keeps nothing", async () => {
  const { manifest, reader } = memoryImage([noise(60_000)]);
  const [, layer] = contentsOf(manifest.bytes);
  if (layer === undefined) throw new Error("the manifest has a layer");
  await using writer = openWriter(`${registry.host}/wrong:1`);
  const write = (bytes: Buffer) =>
    writer.writeBlob(
      layer,
      async function* () {
        yield bytes;
      },
      { signal: NEVER, onProgress: () => {} },
    );
  expect(await failureOf(write(Buffer.alloc(layer.size)))).toMatchObject({ code: "digest_mismatch" });
  expect(await failureOf(write(Buffer.alloc(10)))).toMatchObject({
    code: "image_invalid",
    message: expect.stringContaining("has 10 instead of 60000 bytes"),
  });
  expect(await failureOf(write(Buffer.alloc(layer.size + 1)))).toMatchObject({ code: "image_invalid" });
  expect(await writer.hasBlob(layer, reader)).toBe(false);
});

/**
 * A registry that takes one blob in a way of its own.
 * @param fault does something else than take a request's body; returns whether it did
 */
async function pushThrough(
  size: number,
  fault: (request: IncomingMessage, response: ServerResponse) => boolean,
  headers: Record<string, string> = {},
) {
  let received: Buffer[] = [];
  const length = () => received.reduce((sum, piece) => sum + piece.length, 0);
  const requests: string[] = [];
  await using server = await startScriptedServer(async (request, response) => {
    const { method = "" } = request;
    requests.push(`${method} ${request.headers["content-range"] ?? ""}`.trim());
    const state = () => ({ location: "/v2/image/blobs/uploads/1?state=x", range: `0-${Math.max(length() - 1, 0)}` });
    if (method === "HEAD") return void response.writeHead(404).end();
    if (method === "DELETE") return void response.writeHead(204).end();
    if (method === "GET") return void response.writeHead(204, state()).end();
    if (method === "POST") {
      received = [];
      return void response.writeHead(202, { ...state(), ...headers }).end();
    }
    if (fault(request, response)) {
      if (response.writableEnded) return;
      // Half of what comes is kept, then the connection breaks.
      for await (const piece of request) {
        received.push(piece);
        if (length() >= size / 2) break;
      }
      response.destroy();
      return;
    }
    for await (const piece of request) received.push(piece);
    response.writeHead(method === "PUT" ? 201 : 202, state()).end();
  });
  const layer = noise(size);
  const { reader, manifest } = memoryImage([layer]);
  const [, descriptor] = contentsOf(manifest.bytes);
  if (descriptor === undefined) throw new Error("the manifest has a layer");
  await using writer = openWriter(`${server.host}/image:1`);
  let progress = 0;
  const outcome = await writer
    .writeBlob(descriptor, (offset) => reader.readBlob(descriptor, { signal: NEVER, offset }), {
      signal: NEVER,
      onProgress: (bytes) => {
        progress += bytes;
      },
    })
    .then(
      () => "written",
      async (error) => failureOf(Promise.reject(error)),
    );
  return { outcome, requests, progress, isWhole: Buffer.concat(received).equals(layer) };
}

test("an upload that breaks goes on where the registry has come to", async () => {
  let broken = false;
  const { outcome, requests, isWhole, progress } = await pushThrough(4_000_000, () => {
    const isFirst = !broken;
    broken = true;
    return isFirst;
  });
  expect(outcome).toBe("written");
  expect(isWhole).toBe(true);
  expect(progress).toBe(4_000_000);
  expect(requests).toEqual(["POST", "PUT", "GET", expect.stringMatching(/^PATCH \d+-3999999$/), "PUT"]);
  expect(requests[3]).not.toStartWith("PATCH 0-");
});

test("an upload goes on when the network is away for a moment", async () => {
  let lost = 0;
  const { outcome, requests, isWhole } = await pushThrough(200_000, (request, response) => {
    if (request.method !== "PUT" || lost++ > 0) return false;
    // No route leads there.
    response.writeHead(307, { location: "http://255.255.255.255/", connection: "close" }).end();
    return true;
  });
  expect({ outcome, isWhole }).toEqual({ outcome: "written", isWhole: true });
  expect(requests.slice(0, 3)).toEqual(["POST", "PUT", "GET"]);
});

test("chunks are as large as the registry wants them, where it refuses the whole blob", async () => {
  const size = 45_000_000;
  const { outcome, requests, isWhole } = await pushThrough(
    size,
    (request, response) => {
      if (Number(request.headers["content-length"]) <= 20_000_000) return false;
      response.writeHead(413, { connection: "close" }).end();
      return true;
    },
    { "oci-chunk-min-length": "20000000" },
  );
  expect({ outcome, isWhole }).toEqual({ outcome: "written", isWhole: true });
  expect(requests.filter((request) => request.startsWith("PATCH"))).toEqual([
    "PATCH 0-19999999",
    "PATCH 20000000-39999999",
    "PATCH 40000000-44999999",
  ]);
});

test("an upload that never gets further is given up, and abandoned", async () => {
  const { outcome, requests } = await pushThrough(1_000, (_request, response) => {
    refuse(response, 503, "UNAVAILABLE");
    return true;
  });
  expect(outcome).toMatchObject({ code: "registry_failed", message: expect.stringContaining("503: UNAVAILABLE") });
  expect(requests.at(-1)).toBe("DELETE");
});

test("an upload begins anew where the registry does not tell how far the last one came", async () => {
  let failures = 0;
  const requests: string[] = [];
  await using server = await startScriptedServer(async (request, response) => {
    const { method = "" } = request;
    requests.push(method);
    await request.resume();
    if (method === "GET") refuse(response, 405, "UNSUPPORTED");
    else if (method === "POST") response.writeHead(202, { location: "/v2/image/blobs/uploads/1" }).end();
    else if (method === "PATCH" && failures++ === 0) refuse(response, 503, "UNAVAILABLE");
    else if (method === "PUT" && requests.filter((each) => each === "PUT").length === 1)
      refuse(response, 500, "UNKNOWN");
    else response.writeHead(method === "PUT" ? 201 : 202).end();
  });
  const { manifest, reader } = memoryImage([noise(1_000)]);
  const [, layer] = contentsOf(manifest.bytes);
  if (layer === undefined) throw new Error("the manifest has a layer");
  await using writer = openWriter(`${server.host}/image:1`);
  await writer.writeBlob(layer, (offset) => reader.readBlob(layer, { signal: NEVER, offset }), {
    signal: NEVER,
    onProgress: () => {},
  });
  const onceMore = ["GET", "DELETE", "POST", "PATCH"];
  expect(requests).toEqual(["POST", "PUT", ...onceMore, ...onceMore, "PUT"]);
});

test("a registry that takes nothing more of an upload is given up", async () => {
  const patience = { ...SHORT_PATIENCE, silence: 100, attempts: 2 };
  await using server = await startScriptedServer((request, response) => {
    if (request.method === "POST") response.writeHead(202, { location: "/v2/image/blobs/uploads/1" }).end();
    else if (request.method === "GET") response.writeHead(404).end();
    else request.pause();
  });
  const { manifest, reader } = memoryImage([noise(30_000_000)]);
  const [, layer] = contentsOf(manifest.bytes);
  if (layer === undefined) throw new Error("the manifest has a layer");
  await using writer = openWriter(`${server.host}/image:1`, { patience });
  const write = writer.writeBlob(layer, (offset) => reader.readBlob(layer, { signal: NEVER, offset }), {
    signal: NEVER,
    onProgress: () => {},
  });
  expect(await failureOf(write)).toMatchObject({ code: "registry_timeout" });
});

test("an artifact is listed under what it refers to, also where the registry keeps no such list", async () => {
  const name = `${registry.host}/signed`;
  const { manifest, reader } = memoryImage([noise(1_000)]);
  await using writer = openWriter(`${name}:1`);
  await copy(reader, writer);
  const subject = { mediaType: MANIFEST_TYPE, digest: manifest.digest, size: manifest.bytes.length };
  const signature = memoryImage([noise(100)], { subject, artifactType: "application/x.signature" });
  const comment = memoryImage([noise(100)], { subject, artifactType: "application/x.comment" });
  for (const artifact of [signature, comment, signature]) {
    await using artifactWriter = openWriter(`${name}@${artifact.manifest.digest}`);
    await copy(artifact.reader, artifactWriter);
  }
  using registries = new Registries({}, () => undefined);
  const [repository] = registries.forPull(parseReference(name));
  if (repository === undefined) throw new Error("a name stands for at least one repository");
  const digests = async (type?: string) =>
    (await listReferrers(repository, manifest.digest, name, NEVER, type)).map(({ digest }) => digest);
  expect(await digests()).toEqual([signature.manifest.digest, comment.manifest.digest]);
  expect(await digests("application/x.comment")).toEqual([comment.manifest.digest]);
  expect(await digests("application/x.other")).toEqual([]);
});

test("a list of what refers to an image keeps what others have written into it", async () => {
  const name = `${registry.host}/shared-list`;
  const { manifest, reader } = memoryImage([noise(1_000)]);
  await using writer = openWriter(`${name}:1`);
  await copy(reader, writer);
  using registries = new Registries({ patience: SHORT_PATIENCE }, () => undefined);
  const repository = registries.forPush(parseReference(name));
  const other = memoryImage([noise(100)]);
  await using otherWriter = openWriter(`${name}:2`);
  await copy(other.reader, otherWriter);
  const entry = {
    mediaType: MANIFEST_TYPE,
    digest: other.manifest.digest,
    size: other.manifest.bytes.length,
    data: "e30=",
    platform: { os: "linux", architecture: "arm64" },
  };
  const list = { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: [entry], annotations: { "x.by": "others" } };
  const bytes = Buffer.from(JSON.stringify(list));
  const tag = manifest.digest.replace(":", "-");
  await putManifest(repository, { mediaType: INDEX_MEDIA_TYPE, digest: digestOf(bytes), bytes }, tag, name, NEVER);
  const subject = { mediaType: MANIFEST_TYPE, digest: manifest.digest, size: manifest.bytes.length };
  const signature = memoryImage([noise(100)], { subject });
  await using artifactWriter = openWriter(`${name}@${signature.manifest.digest}`);
  await copy(signature.reader, artifactWriter);
  await using changed = openReader(`${name}:${tag}`);
  const content = JSON.parse((await changed.readManifest()).bytes.toString("utf8"));
  expect(content).toMatchObject({
    annotations: list.annotations,
    manifests: [entry, { digest: signature.manifest.digest }],
  });
});

test("a manifest whose digest is another is refused", async () => {
  const name = `${registry.host}/mistaken:1`;
  const { manifest, reader } = memoryImage([]);
  await using writer = openWriter(name);
  await copy(reader, writer);
  using registries = new Registries({ patience: SHORT_PATIENCE }, () => undefined);
  const repository = registries.forPush(parseReference(name));
  const other = { ...manifest, digest: digestOf("other") };
  expect(await failureOf(putManifest(repository, other, "1", name, NEVER))).toMatchObject({ code: "digest_mismatch" });
});

test("a password opens what needs one to write", async () => {
  await using closed = await DockerRegistry.start({ users: { alice: "wonderland" } });
  const { reader, manifest } = memoryImage([noise(10_000)]);
  const credentials = { kind: "password", user: "alice", password: "wonderland" } as const;
  await using writer = openWriter(`${closed.host}/image:1`, { credentials });
  await copy(reader, writer);
  await using back = openReader(`${closed.host}/image:1`, { credentials });
  const read = await back.readManifest();
  expect(read.digest).toBe(manifest.digest);
  for (const descriptor of contentsOf(read.bytes)) {
    expect(digestOf(await readWhole(back, descriptor))).toBe(descriptor.digest);
  }
});
