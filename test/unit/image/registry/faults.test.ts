import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseReference } from "../../../../src/image/reference.ts";
import { adjustedPatience, USUAL_PATIENCE } from "../../../../src/image/registry/patience.ts";
import { Registries } from "../../../../src/image/registry/registries.ts";
import { RegistryReader } from "../../../../src/image/registry/registry-reader.ts";
import { contentsOf, failureOf, NEVER, openReader, readWhole, SHORT_PATIENCE } from "./reading.ts";
import { type Handler, refuse, smallImage, startScriptedServer } from "./scripted-server.ts";

const image = smallImage();

function sendManifest(response: ServerResponse, bytes = image.manifest, headers: Record<string, string> = {}): void {
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  response.writeHead(200, { "content-type": mediaType, "content-length": String(bytes.length), ...headers });
  response.end(bytes);
}

/** Where a Range request begins; 0 for one of the whole. */
function rangeStart(header: string | undefined): number {
  return Number(/^bytes=(\d+)-/.exec(header ?? "")?.[1] ?? 0);
}

async function readManifestFrom(handler: Handler, settings: Parameters<typeof openReader>[1] = {}) {
  await using server = await startScriptedServer(handler);
  await using reader = openReader(`${server.host}/image:1`, settings);
  const outcome = await reader.readManifest().then(
    () => "read",
    async (error) => failureOf(Promise.reject(error)),
  );
  return { outcome, requests: server.requests, questions: server.questions, host: server.host };
}

async function readLayerFrom(handler: Handler, settings: Parameters<typeof openReader>[1] = {}) {
  await using server = await startScriptedServer(handler);
  await using reader = openReader(`${server.host}/image:1`, settings);
  const outcome = await readWhole(reader, image.layer).then(
    (bytes) => (bytes.equals(image.blob) ? "read" : "other bytes"),
    async (error) => failureOf(Promise.reject(error)),
  );
  return { outcome, requests: server.requests.length };
}

test("a registry on this machine shows by the first answer which protocol it speaks", async () => {
  const { outcome, requests, questions } = await readManifestFrom((_request, response) => sendManifest(response));
  expect([outcome, requests, questions]).toEqual(["read", ["GET /v2/image/manifests/1"], 0]);
});

test("what a registry warns of is told once, whether it answers or refuses, and nothing that another host says", async () => {
  await using storage = await startScriptedServer((_request, response) => {
    response.writeHead(200, { warning: '299 - "buy storage"' }).end(image.blob);
  });
  await using registry = await startScriptedServer((request, response) => {
    response.setHeader("warning", [
      '299 - "your \\"token\\" ends, soon"',
      '110 anderson/1.3.37 "Response is stale"',
      '299 - "moved \x9b2J"',
    ]);
    if (request.url?.includes("/manifests/1")) sendManifest(response);
    else if (request.url?.includes("/blobs/")) response.writeHead(307, { location: `http://${storage.host}/` }).end();
    else refuse(response, 404, "MANIFEST_UNKNOWN", { warning: '299 - "renamed"' });
  });
  const told: string[] = [];
  using registries = new Registries({ patience: SHORT_PATIENCE }, (message) => told.push(message));
  await using reader = new RegistryReader(registries, parseReference(`${registry.host}/image:1`), NEVER);
  const { bytes } = await reader.readManifest();
  await reader.readManifest();
  for (const descriptor of contentsOf(bytes).slice(1)) await readWhole(reader, descriptor);
  const expected = ['your "token" ends, soon', "moved 2J"].map((text) => `${registry.host} says: ${text}`);
  expect(told).toEqual(expected);
  await using other = new RegistryReader(registries, parseReference(`${registry.host}/image:2`), NEVER);
  await failureOf(other.readManifest());
  expect(told).toEqual([...expected, `${registry.host} says: renamed`]);
});

test("a registry that refuses the first request is asked whether it wants TLS", async () => {
  const { requests, questions } = await readManifestFrom((_request, response) => refuse(response, 400, "NAME_INVALID"));
  expect([requests.length, questions]).toEqual([1, 1]);
});

test.each([
  [401, "UNAUTHORIZED", "registry_unauthorized"],
  [403, "DENIED", "registry_denied"],
  [404, "NAME_UNKNOWN", "image_not_found"],
  [400, "NAME_INVALID", "registry_refused"],
  [501, "UNSUPPORTED", "registry_failed"],
])("status %d ends at once, with the registry's words", async (status, word, code) => {
  const { outcome, requests, host } = await readManifestFrom((_request, response) => refuse(response, status, word));
  const said = `${word}: ${word.toLowerCase().replaceAll("_", " ")}`;
  const message = `read the manifest of ${host}/image:1: ${host} answers ${status}: ${said}`;
  expect(outcome).toMatchObject({ code, message });
  expect(requests.length).toBe(1);
});

test.each([
  [429, "registry_rate_limited"],
  [500, "registry_failed"],
  [503, "registry_failed"],
])("status %d is tried again, not for ever", async (status, code) => {
  const { outcome, requests } = await readManifestFrom((_request, response) => refuse(response, status, "NO"));
  expect(outcome).toMatchObject({ code });
  expect(requests.length).toBe(SHORT_PATIENCE.attempts);
});

test("the user says how often and when to ask again", async () => {
  const fail: Handler = (_request, response) => refuse(response, 503, "NO");
  for (const retries of [0, 2]) {
    const { requests } = await readManifestFrom(fail, { retries, retryDelay: 1, patience: USUAL_PATIENCE });
    expect(requests.length).toBe(retries + 1);
  }
  expect(adjustedPatience(USUAL_PATIENCE, { retries: undefined, delay: 90_000 })).toEqual({
    ...USUAL_PATIENCE,
    firstDelay: 90_000,
    delayGrowth: 1,
    longestDelay: 90_000,
  });
});

test("a failure that passes is not noticed", async () => {
  let asked = 0;
  const { outcome } = await readManifestFrom((_request, response) => {
    asked += 1;
    if (asked < 3) refuse(response, 503, "UNAVAILABLE");
    else sendManifest(response);
  });
  expect(outcome).toBe("read");
});

test("a registry that wants to be left alone for long is, and the user is told for how long", async () => {
  const { outcome, requests } = await readManifestFrom((_request, response) =>
    refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": "3600" }),
  );
  expect(outcome).toMatchObject({
    code: "registry_rate_limited",
    hint: expect.stringContaining("Try again in 3600 seconds"),
  });
  expect(requests.length).toBe(1);
});

test("a connection that is refused is told with the host", async () => {
  const { host } = await readManifestFrom((_request, response) => sendManifest(response));
  await using reader = openReader(`${host}/image:1`);
  expect(await failureOf(reader.readManifest())).toEqual({
    code: "registry_unreachable",
    message: `read the manifest of ${host}/image:1: ${host}: connection refused`,
  });
});

test("a name that no host can have is told, once", async () => {
  for (const host of ["localhost:99999", "1.2.3.4.5", "[1:2:3:4:5:6:7:8:9]"]) {
    await using reader = openReader(`${host}/image:1`);
    expect(await failureOf(reader.readManifest())).toEqual({
      code: "registry_unreachable",
      message: `read the manifest of ${host}/image:1: ${host}: that is no HOST[:PORT]`,
    });
  }
});

test("a server that speaks no HTTP is told so, once", async () => {
  const { outcome, requests, host } = await readManifestFrom(
    ({ socket }) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
  );
  const message = `read the manifest of ${host}/image:1: ${host}: it does not answer in HTTP`;
  expect(outcome).toEqual({ code: "registry_unreachable", message });
  expect(requests.length).toBe(1);
});

test("a manifest of 10 MB is refused", async () => {
  const { outcome } = await readManifestFrom((_request, response) =>
    sendManifest(response, Buffer.alloc(10_000_000, 0x20)),
  );
  expect(outcome).toMatchObject({ code: "image_invalid", message: expect.stringContaining("more than 4 MiB") });
});

test.each([
  ["is not JSON", Buffer.from("<html>"), "it is not JSON"],
  ["is cut short", image.manifest.subarray(0, 100), "it is not JSON"],
  ["is of Docker's schema 1", Buffer.from('{"schemaVersion":1,"fsLayers":[]}'), "schema 1"],
  ["is of an unknown kind", Buffer.from('{"schemaVersion":2,"mediaType":"text/x"}'), 'its media type is "text/x"'],
])("a manifest that %s is refused", async (_name, bytes, reason) => {
  const { outcome } = await readManifestFrom((_request, response) => sendManifest(response, bytes));
  expect(outcome).toMatchObject({ message: expect.stringContaining(reason) });
});

test("a manifest that breaks off is asked for again, and told when that is of no use", async () => {
  let answers = 0;
  const breakOff: Handler = (_request, response) => {
    response.writeHead(200, { "content-length": String(image.manifest.length) });
    response.write(image.manifest.subarray(0, 10), () => response.destroy());
  };
  const once = await readManifestFrom((request, response) =>
    answers++ === 0 ? breakOff(request, response) : sendManifest(response),
  );
  expect(once.outcome).toBe("read");
  const always = await readManifestFrom(breakOff);
  expect(always.outcome).toMatchObject({ message: expect.stringContaining("read the manifest of ") });
  expect(always.requests.length).toBe(SHORT_PATIENCE.attempts);
});

test("a manifest that comes too slowly is given up", async () => {
  const patience = { ...SHORT_PATIENCE, slowness: 20, leastBytes: 5_000, attempts: 2 };
  const { outcome } = await readManifestFrom(
    async (_request, response) => {
      response.writeHead(200, { "content-length": "100000" });
      while (!response.destroyed) {
        response.write(" ");
        await Bun.sleep(5);
      }
    },
    { patience },
  );
  expect(outcome).toMatchObject({ code: "registry_timeout", message: expect.stringContaining("is too slow: only ") });
});

test("a web page in place of a manifest is told as such", async () => {
  const { outcome } = await readManifestFrom((_request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<html>Log in</html>");
  });
  expect(outcome).toMatchObject({ code: "image_invalid", message: expect.stringContaining("not JSON but a web page") });
});

test("a blob that the manifest names and the registry does not have has a hint", async () => {
  await using server = await startScriptedServer((_request, response) => refuse(response, 404, "BLOB_UNKNOWN"));
  await using reader = openReader(`${server.host}/image:1`);
  const read = Array.fromAsync(reader.readBlob(image.layer, { signal: NEVER }));
  await expect(read).rejects.toMatchObject({
    code: "image_not_found",
    hint: expect.stringMatching(/^The image is not whole there: push it again, .* bunker login 127/),
  });
});

test("a manifest with another digest than the registry says is refused", async () => {
  const { outcome } = await readManifestFrom((_request, response) =>
    sendManifest(response, image.manifest, { "docker-content-digest": `sha256:${"0".repeat(64)}` }),
  );
  expect(outcome).toMatchObject({ code: "digest_mismatch" });
});

test("a manifest other than the one asked for by digest is refused", async () => {
  await using server = await startScriptedServer((_request, response) => sendManifest(response, Buffer.from("{}")));
  await using reader = openReader(`${server.host}/image@${image.manifestDigest}`);
  expect(await failureOf(reader.readManifest())).toMatchObject({ code: "digest_mismatch" });
});

test("a blob goes on where its connection broke", async () => {
  let current: ServerResponse | undefined;
  await using server = await startScriptedServer((request, response) => {
    current = response;
    const start = rangeStart(request.headers.range);
    const headers = start === 0 ? {} : { "content-range": `bytes ${start}-${image.blob.length - 1}/*` };
    response.writeHead(start === 0 ? 200 : 206, { ...headers, "content-length": String(image.blob.length - start) });
    response.write(image.blob.subarray(start, start + 10_000));
  });
  await using reader = openReader(`${server.host}/image:1`);
  const pieces: Buffer[] = [];
  for await (const piece of reader.readBlob(image.layer, { signal: NEVER })) {
    pieces.push(Buffer.from(piece));
    // Broken when the piece is here for certain.
    current?.destroy();
  }
  expect(Buffer.concat(pieces).equals(image.blob)).toBe(true);
  expect(server.requests.length).toBe(10);
});

test("a blob goes on when the network is away for a moment", async () => {
  let current: ServerResponse | undefined;
  await using server = await startScriptedServer((request, response) => {
    const start = rangeStart(request.headers.range);
    if (start === 0) {
      current = response;
      response.writeHead(200, { "content-length": String(image.blob.length) });
      response.write(image.blob.subarray(0, 10_000));
    } else if (current !== undefined) {
      current = undefined;
      // No route leads there.
      response.writeHead(307, { location: "http://255.255.255.255/" }).end();
    } else {
      response.writeHead(206, { "content-range": `bytes ${start}-${image.blob.length - 1}/*` });
      response.end(image.blob.subarray(start));
    }
  });
  await using reader = openReader(`${server.host}/image:1`);
  const pieces: Buffer[] = [];
  for await (const piece of reader.readBlob(image.layer, { signal: NEVER })) {
    pieces.push(Buffer.from(piece));
    current?.destroy();
  }
  expect(Buffer.concat(pieces).equals(image.blob)).toBe(true);
  expect(server.requests.length).toBe(3);
});

test("a blob goes on although the server knows no ranges", async () => {
  let asked = 0;
  const { outcome } = await readLayerFrom((_request, response) => {
    asked += 1;
    response.writeHead(200, { "content-length": String(image.blob.length) });
    if (asked < 3) response.write(image.blob.subarray(0, asked * 20_000), () => response.destroy());
    else response.end(image.blob);
  });
  expect(outcome).toBe("read");
});

test("a server that never gets further is given up", async () => {
  const { outcome, requests } = await readLayerFrom((_request, response) => {
    response.writeHead(200, { "content-length": String(image.blob.length) });
    response.flushHeaders();
    response.destroy();
  });
  expect(outcome).toMatchObject({ code: "registry_unreachable" });
  expect(requests).toBe(SHORT_PATIENCE.attempts);
});

test("a blob with too few bytes is refused", async () => {
  const { outcome } = await readLayerFrom((request, response) => {
    const start = rangeStart(request.headers.range);
    response.writeHead(start === 0 ? 200 : 206, { "content-range": `bytes ${start}-4/5` });
    response.end(image.blob.subarray(start, 5));
  });
  expect(outcome).toMatchObject({
    code: "image_invalid",
    message: expect.stringContaining("5 bytes instead of 100000"),
  });
});

test("a blob that ends before the place to go on at is refused", async () => {
  const { outcome, requests } = await readLayerFrom((request, response) => {
    if (request.headers.range === undefined) response.end(image.blob.subarray(0, 5));
    else response.writeHead(416, { "content-range": "bytes */5" }).end();
  });
  expect(outcome).toMatchObject({
    code: "image_invalid",
    message: expect.stringContaining("at most 5 bytes instead of 100000"),
  });
  expect(requests).toBe(2);
});

test("a blob with too many bytes is refused", async () => {
  const { outcome } = await readLayerFrom((_request, response) => {
    response.end(Buffer.concat([image.blob, Buffer.from("x")]));
  });
  expect(outcome).toMatchObject({ code: "image_invalid", message: expect.stringContaining("more than 100000 bytes") });
});

test("a range other than the one asked for is refused", async () => {
  let asked = 0;
  const { outcome } = await readLayerFrom((_request, response) => {
    asked += 1;
    if (asked > 1) response.writeHead(206, { "content-range": "bytes 50000-99999/100000" });
    response.write(image.blob.subarray(0, 1000), () => response.destroy());
  });
  expect(outcome).toMatchObject({ code: "registry_failed", message: expect.stringContaining("sends from byte 50000") });
});

test("a server that falls silent is given up", async () => {
  const patience = { ...SHORT_PATIENCE, silence: 50, attempts: 2 };
  const silent = await readManifestFrom(() => {}, { patience });
  expect(silent.outcome).toMatchObject({
    code: "registry_timeout",
    message: expect.stringContaining("is too slow: nothing came for 50 ms"),
  });
  const inTheMiddle = await readLayerFrom((_request, response) => void response.write("x"), { patience });
  expect(inTheMiddle.outcome).toMatchObject({ code: "registry_timeout" });
});

test("a server that dribbles for ever is given up", async () => {
  const patience = { ...SHORT_PATIENCE, slowness: 100, leastBytes: 5_000, attempts: 2 };
  let timer: ReturnType<typeof setInterval> | undefined;
  const { outcome } = await readLayerFrom(
    (_request, response) => {
      clearInterval(timer);
      timer = setInterval(() => response.write("x"), 5);
    },
    { patience },
  );
  clearInterval(timer);
  expect(outcome).toMatchObject({ code: "registry_timeout", message: expect.stringMatching(/only \d+ bytes came in/) });
});

test("a reader's signal ends a download", async () => {
  await using server = await startScriptedServer((_request, response) => void response.write("x"));
  await using reader = openReader(`${server.host}/image:1`);
  const controller = new AbortController();
  const read = async () => {
    for await (const _piece of reader.readBlob(image.layer, { signal: controller.signal })) controller.abort("enough");
  };
  expect(await read().catch((reason) => reason)).toBe("enough");
});

test("credentials do not follow a redirect to another host", async () => {
  await using storage = await startScriptedServer((_request, response) => void response.end(image.blob));
  await using registry = await startScriptedServer((request, response) => {
    if (request.headers.authorization === undefined) {
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="here"' });
    } else if (request.url?.includes("/blobs/")) {
      response.writeHead(307, { location: `http://${storage.host}/storage` }).end();
    } else sendManifest(response);
  });
  const credentials = { kind: "password", user: "alice", password: "secret" } as const;
  await using reader = openReader(`${registry.host}/image:1`, { credentials });
  const { bytes } = await reader.readManifest();
  const [, layer] = contentsOf(bytes);
  if (layer === undefined) throw new Error("the manifest has a layer");
  expect((await readWhole(reader, layer)).equals(image.blob)).toBe(true);
  expect(registry.authorizations).toEqual([undefined, "Basic YWxpY2U6c2VjcmV0", "Basic YWxpY2U6c2VjcmV0"]);
  expect(storage.authorizations).toEqual([undefined]);
});

test.each([
  ["a date that is past", "Fri, 31 Dec 1999 23:59:59 GMT"],
  ["nothing", "0"],
])("a server that wants %s waited for is not asked at once", async (_name, wanted) => {
  await using registry = await startScriptedServer((_request, response) => {
    refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": wanted });
  });
  const patience = { ...SHORT_PATIENCE, attempts: 2, firstDelay: 60 };
  await using reader = openReader(`${registry.host}/image:1`, { patience });
  const before = performance.now();
  expect((await failureOf(reader.readManifest())).hint).toStartWith("Try again later");
  expect(performance.now() - before).toBeGreaterThanOrEqual(29);
  expect(registry.requests.length).toBe(2);
});

test("a time to wait that nobody will see is not told", async () => {
  const { outcome } = await readManifestFrom((_request, response) => {
    refuse(response, 429, "TOOMANYREQUESTS", { "retry-after": "9".repeat(400) });
  });
  expect(outcome).toMatchObject({ hint: expect.stringMatching(/^Try again later/) });
});

test("logins that cannot be read do not hide that an image is not there", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bunker-logins-"));
  writeFileSync(join(directory, "auth.json"), "{");
  await using registry = await startScriptedServer((_request, response) => refuse(response, 404, "MANIFEST_UNKNOWN"));
  await using reader = openReader(`${registry.host}/image:1`, { authFile: join(directory, "auth.json") });
  try {
    expect(await failureOf(reader.readManifest())).toMatchObject({ code: "image_not_found" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.each([
  ["without end", "", "redirects without end"],
  ["to a file", "file:///etc/passwd", "no URL of HTTP"],
])("a redirect %s is refused", async (_name, location, reason) => {
  const { outcome } = await readManifestFrom((request, response) => {
    response.writeHead(302, { location: location || `${request.url}` }).end();
  });
  expect(outcome).toMatchObject({ message: expect.stringContaining(reason) });
});

test("a blob that a mirror loses on the way comes from the registry", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bunker-mirror-"));
  await using registry = await startScriptedServer((request, response) => {
    const start = rangeStart(request.headers.range);
    response.writeHead(206, { "content-range": `bytes ${start}-${image.blob.length - 1}/*` });
    response.end(image.blob.subarray(start));
  });
  let part: ServerResponse | undefined;
  await using mirror = await startScriptedServer((request, response) => {
    if (request.url?.includes("/manifests/")) sendManifest(response);
    else if (part === undefined) {
      part = response;
      response.writeHead(200, { "content-length": String(image.blob.length) });
      response.write(image.blob.subarray(0, 10_000));
    } else refuse(response, 404, "BLOB_UNKNOWN");
  });
  const configuration = join(directory, "registries.conf");
  writeFileSync(
    configuration,
    `[[registry]]\nlocation="${registry.host}"\n[[registry.mirror]]\nlocation="${mirror.host}"`,
  );
  const before = process.env["CONTAINERS_REGISTRIES_CONF"];
  process.env["CONTAINERS_REGISTRIES_CONF"] = configuration;
  try {
    await using reader = openReader(`${registry.host}/image:1`);
    await reader.readManifest();
    const pieces: Buffer[] = [];
    for await (const piece of reader.readBlob(image.layer, { signal: NEVER })) {
      pieces.push(Buffer.from(piece));
      part?.destroy();
    }
    expect(Buffer.concat(pieces).equals(image.blob)).toBe(true);
    expect(registry.requests).toEqual([`GET /v2/image/blobs/${image.layer.digest}`]);
  } finally {
    if (before === undefined) delete process.env["CONTAINERS_REGISTRIES_CONF"];
    else process.env["CONTAINERS_REGISTRIES_CONF"] = before;
    rmSync(directory, { recursive: true });
  }
});
