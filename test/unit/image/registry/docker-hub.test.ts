import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { searchHub } from "../../../../src/image/registry/hub-search.ts";
import { Registries } from "../../../../src/image/registry/registries.ts";
import { makePrivateAuthority } from "../../../docker-registry.ts";
import { startProxy } from "./connect-proxy.ts";
import { failureOf, NEVER, openReader, SHORT_PATIENCE } from "./reading.ts";
import { refuse, type ScriptedServer, smallImage, startScriptedServer } from "./scripted-server.ts";

const image = smallImage();
const hub = { patience: SHORT_PATIENCE, tlsVerify: false, authFile: "/dev/null" };

let directory: string;
let server: ScriptedServer;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let answerSearch: (response: ServerResponse) => void;

// All hosts of Docker Hub at once.
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "bunker-hub-"));
  const { certificate, key } = makePrivateAuthority(directory);
  const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
  server = await startScriptedServer((request, response) => {
    if (request.url?.startsWith("/v1/search")) answerSearch(response);
    else if (request.url?.startsWith("/token")) response.end('{"token":"anybody"}');
    else if (request.headers.authorization === "Bearer anybody") response.end(image.manifest);
    else {
      const challenge = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"';
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
    }
  }, tls);
  proxy = await startProxy(Number(server.host.split(":")[1]));
  process.env["HTTPS_PROXY"] = `http://127.0.0.1:${proxy.port}`;
});

afterAll(async () => {
  delete process.env["HTTPS_PROXY"];
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** The hosts that tunnels were made to since the last time. */
function hosts(): string[] {
  return proxy.asked.splice(0).map((line) => line.split(" ")[1] ?? "");
}

test("short names are pulled from where Docker Hub's API is", async () => {
  await using reader = openReader("debian", hub);
  expect((await reader.readManifest()).digest).toBe(image.manifestDigest);
  expect(new Set(hosts())).toEqual(new Set(["registry-1.docker.io:443", "auth.docker.io:443"]));
  expect(server.requests).toEqual([
    "GET /v2/library/debian/manifests/latest",
    "GET /token?service=registry.docker.io&scope=repository%3Alibrary%2Fdebian%3Apull",
    "GET /v2/library/debian/manifests/latest",
  ]);
});

test("Docker Hub is searched at its index", async () => {
  answerSearch = (response) =>
    void response.end(
      JSON.stringify({
        results: [
          { name: "debian", description: " Linux\r\n\x1b[2J ", star_count: 5, is_official: true, is_automated: false },
          { name: "somebody/debian", description: null },
          { name: "one/more" },
        ],
      }),
    );
  using registries = new Registries(hub, () => undefined);
  const found = await searchHub(registries.registry("docker.io"), "debian linux", 2, NEVER);
  expect(found).toEqual([
    { name: "debian", description: "Linux [2J", star_count: 5, is_official: true, is_automated: false },
    { name: "somebody/debian", description: "", star_count: 0, is_official: false, is_automated: false },
  ]);
  expect(server.requests.at(-1)).toBe("GET /v1/search?q=debian+linux&n=2");
  expect(hosts()).toContain("index.docker.io:443");
});

test("an answer in another form is refused", async () => {
  answerSearch = (response) => void response.end("<html>");
  using registries = new Registries(hub, () => undefined);
  const search = searchHub(registries.registry("docker.io"), "debian", 2, NEVER);
  expect(await failureOf(search)).toMatchObject({ code: "image_invalid" });
});
