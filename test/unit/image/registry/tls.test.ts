import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { makePrivateAuthority, type PrivateAuthority } from "../../../docker-registry.ts";
import { output } from "../../../unprivileged-user.ts";
import { failureOf, NEVER, openReader, readWhole } from "./reading.ts";
import { refuse, smallImage, startScriptedServer } from "./scripted-server.ts";
import { memoryImage, noise, openWriter } from "./writing.ts";

const image = smallImage();
const ALICE = { kind: "password", user: "alice", password: "secret" } as const;

let directory: string;
let files: PrivateAuthority;
let tls: ServerOptions;
/** Directories for `--cert-dir`: with the authority, and with a client's certificate as well. */
let trusting: string;
let identified: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-tls-"));
  files = makePrivateAuthority(directory);
  tls = { cert: readFileSync(files.certificate), key: readFileSync(files.key), ca: readFileSync(files.authority) };
  [trusting, identified] = [join(directory, "trusting"), join(directory, "identified")];
  for (const place of [trusting, identified]) {
    mkdirSync(place);
    copyFileSync(files.authority, join(place, "ca.crt"));
  }
  copyFileSync(files.certificate, join(identified, "client.cert"));
  copyFileSync(files.key, join(identified, "client.key"));
});

afterAll(() => rmSync(directory, { recursive: true }));

test("a certificate of the client is shown to the registry that wants one", async () => {
  const asking = { ...tls, requestCert: true, rejectUnauthorized: false };
  await using server = await startScriptedServer((request, response) => {
    if ((request.socket as TLSSocket).authorized) response.end(image.manifest);
    else refuse(response, 403, "DENIED");
  }, asking);
  const name = `${server.host}/image:1`;
  await using known = openReader(name, { certificateDirectory: identified, tlsVerify: true });
  expect((await known.readManifest()).digest).toBe(image.manifestDigest);
  await using unknown = openReader(name, { certificateDirectory: trusting, tlsVerify: true });
  expect(await failureOf(unknown.readManifest())).toMatchObject({ code: "registry_denied" });
});

test("SSL_CERT_FILE takes the place of the system's authorities", async () => {
  await using server = await startScriptedServer((_request, response) => void response.end(image.manifest), tls);
  const script = `
    import { openReader } from ${JSON.stringify(join(import.meta.dir, "reading.ts"))};
    console.log((await openReader("${server.host}/image:1", { tlsVerify: true }).readManifest()).digest);`;
  const run = async (authorities: string) => {
    const child = Bun.spawn([process.execPath, "-e", script], {
      env: { ...process.env, SSL_CERT_FILE: authorities },
      stdout: "pipe",
      stderr: "pipe",
    });
    return `${await child.stdout.text()}${await child.stderr.text()}`;
  };
  expect(await run(files.authority)).toBe(`${image.manifestDigest}\n`);
  expect(await run("/etc/ssl/certs/ca-certificates.crt")).toContain("its certificate is by an unknown authority");
});

test.each([
  ["not valid yet", "20900101000000Z", "21000101000000Z"],
  ["expired", "20000101000000Z", "20100101000000Z"],
])("with a certificate that is %s, the clock is doubted", async (what, start, end) => {
  const place = mkdtempSync(join(directory, "dated-"));
  const configuration = [
    "[ca]\ndefault_ca = test\n[test]",
    `database = ${place}/index\nserial = ${place}/serial\nnew_certs_dir = ${place}`,
    `certificate = ${files.authority}\nprivate_key = ${directory}/ca.key\ndefault_md = sha256\npolicy = any`,
    "[any]\ncommonName = supplied\n",
  ];
  writeFileSync(`${place}/configuration`, configuration.join("\n"));
  writeFileSync(`${place}/index`, "");
  writeFileSync(`${place}/serial`, "1000\n");
  const dates = ["-startdate", start, "-enddate", end];
  const request = ["-in", `${directory}/request`, "-out", `${place}/dated.crt`, "-notext"];
  output(["openssl", "ca", "-batch", "-config", `${place}/configuration`, ...dates, ...request]);
  const dated = { ...tls, cert: readFileSync(`${place}/dated.crt`) };
  await using server = await startScriptedServer((_request, response) => void response.end(image.manifest), dated);
  await using reader = openReader(`${server.host}/image:1`, { certificateDirectory: trusting, tlsVerify: true });
  const known = what === "expired" ? "has expired" : "is not valid yet";
  const before = Date.now();
  const failure = await failureOf(reader.readManifest());
  expect(failure).toMatchObject({
    code: "registry_untrusted",
    message: expect.stringContaining(`${server.host}: its certificate ${known}`),
  });
  const [, time = "", rest] = /^This machine's clock says (\S+); (.*)$/.exec(String(failure?.hint)) ?? [];
  expect(rest).toBe("if that is wrong, set it.");
  expect(Date.parse(time)).toBeWithin(before, Date.now() + 1);
});

test("a redirect from TLS to none is refused", async () => {
  await using plain = await startScriptedServer((_request, response) => void response.end(image.blob));
  await using server = await startScriptedServer((_request, response) => {
    response.writeHead(307, { location: `http://${plain.host}/blob` }).end();
  }, tls);
  await using reader = openReader(`${server.host}/image:1`, { certificateDirectory: trusting });
  expect(await failureOf(readWhole(reader, image.layer))).toMatchObject({
    code: "registry_untrusted",
    message: expect.stringContaining(`it redirects to http://${plain.host}, without TLS`),
  });
  expect(plain.requests).toEqual([]);
});

test("an upload from TLS to none is refused", async () => {
  await using plain = await startScriptedServer((_request, response) => void response.writeHead(201).end());
  await using server = await startScriptedServer((request, response) => {
    if (request.method === "DELETE") response.writeHead(204).end();
    else response.writeHead(202, { location: `http://${plain.host}/upload` }).end();
  }, tls);
  const { manifest, reader } = memoryImage([]);
  await using writer = openWriter(`${server.host}/image:1`, { certificateDirectory: trusting });
  const { config } = JSON.parse(manifest.bytes.toString());
  const read = (offset: number) => reader.readBlob(config, { signal: NEVER, offset });
  expect(await failureOf(writer.writeBlob(config, read, { signal: NEVER, onProgress: () => {} }))).toMatchObject({
    code: "registry_untrusted",
    message: expect.stringContaining(`it names http://${plain.host}, without TLS`),
  });
  expect(plain.requests).toEqual([]);
});

test("a password is not sent to a token server without TLS", async () => {
  await using tokens = await startScriptedServer((_request, response) => void response.end('{"token":"t"}'));
  await using server = await startScriptedServer((_request, response) => {
    refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="http://${tokens.host}/token"` });
  }, tls);
  await using reader = openReader(`${server.host}/image:1`, { certificateDirectory: trusting, credentials: ALICE });
  expect(await failureOf(reader.readManifest())).toMatchObject({
    code: "registry_untrusted",
    message: expect.stringContaining("it wants the password sent to"),
  });
  expect(tokens.requests).toEqual([]);
});

test("the scheme of a token server's URL may be written in any case", async () => {
  await using tokens = await startScriptedServer((_request, response) => void response.end('{"token":"t"}'), tls);
  await using server = await startScriptedServer((request, response) => {
    const challenge = `Bearer realm="HTTPS://${tokens.host}/token"`;
    if (request.headers.authorization === "Bearer t") response.end(image.manifest);
    else refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
  }, tls);
  await using reader = openReader(`${server.host}/image:1`, { certificateDirectory: trusting, credentials: ALICE });
  expect((await reader.readManifest()).digest).toBe(image.manifestDigest);
});

test("an upload that goes to another host goes without the password", async () => {
  await using storage = await startScriptedServer(async (request, response) => {
    await Array.fromAsync(request);
    response.writeHead(201).end();
  });
  await using server = await startScriptedServer((request, response) => {
    if (request.headers.authorization === undefined) {
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=x" });
    } else response.writeHead(202, { location: `http://${storage.host}/upload` }).end();
  });
  const { manifest, reader } = memoryImage([noise(1_000)]);
  await using writer = openWriter(`${server.host}/image:1`, { credentials: ALICE });
  const { config } = JSON.parse(manifest.bytes.toString());
  await writer.writeBlob(config, (offset) => reader.readBlob(config, { signal: NEVER, offset }), {
    signal: NEVER,
    onProgress: () => {},
  });
  expect(server.authorizations.at(-1)).toStartWith("Basic ");
  expect(storage.authorizations).toEqual([undefined]);
});
