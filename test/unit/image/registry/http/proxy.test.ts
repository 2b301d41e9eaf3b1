import { expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isLoopbackHost, proxyFor } from "../../../../../src/image/registry/http/proxy.ts";
import { DockerRegistry } from "../../../../docker-registry.ts";
import { startProxy } from "../connect-proxy.ts";
import { failureOf, openReader } from "../reading.ts";
import { smallImage, startScriptedServer } from "../scripted-server.ts";

const PROXY = "http://proxy.example.com:3128/";

// The rules, and most rows, are those of Go's httpproxy.
test.each([
  ["https://example.com/", "", PROXY],
  ["https://example.com/", "*", undefined],
  ["https://example.com/", "example.com", undefined],
  ["https://sub.example.com/", "example.com", undefined],
  ["https://notexample.com/", "example.com", PROXY],
  ["https://example.com/", ".example.com", PROXY],
  ["https://sub.example.com/", ".example.com", undefined],
  ["https://sub.example.com/", "*.example.com", undefined],
  ["https://example.com/", "other, EXAMPLE.com ,more", undefined],
  ["https://example.com:8443/", "example.com:8443", undefined],
  ["https://example.com/", "example.com:8443", PROXY],
  ["https://example.com/", "example.com:443", undefined],
  ["https://10.1.2.3/", "10.0.0.0/8", undefined],
  ["https://11.1.2.3/", "10.0.0.0/8", PROXY],
  ["https://10.1.2.3/", "10.1.2.3", undefined],
  ["https://10.1.2.3:5000/", "10.1.2.3:5000", undefined],
  ["https://10.1.2.3/", "10.1.2", PROXY],
  ["https://[fd00::1]/", "fd00::/8", undefined],
  ["https://[fd00::1]:5000/", "[fd00::1]:5000", undefined],
  ["https://localhost:5000/", "", undefined],
  ["https://127.1.2.3/", "", undefined],
  ["https://[::1]/", "", undefined],
  ["http://example.com/", "", undefined],
])("the proxy for %s with NO_PROXY=%s", (url, exemptions, expected) => {
  const environment = { HTTPS_PROXY: "proxy.example.com:3128", NO_PROXY: exemptions };
  expect(proxyFor(new URL(url), environment)).toBe(expected);
});

test("the variables are read in lower case as well", () => {
  expect(proxyFor(new URL("http://example.com/"), { http_proxy: PROXY })).toBe(PROXY);
  expect(proxyFor(new URL("http://example.com/"), { http_proxy: PROXY, no_proxy: "example.com" })).toBeUndefined();
});

test.each(["socks5://proxy:1080", "http://", "ftp://proxy"])("a proxy %s is refused", async (proxy) => {
  const find = async () => proxyFor(new URL("https://example.com/"), { HTTPS_PROXY: proxy });
  expect(await failureOf(find())).toMatchObject({ code: "invalid_proxy" });
});

test.each([
  ["localhost", true],
  ["localhost:5000", true],
  ["127.0.0.1:5000", true],
  ["[::1]:5000", true],
  ["example.com:5000", false],
  ["127.example.com", false],
])("%s is on this machine: %p", (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

test("a registry is reached through a proxy, with the proxy's password, and the certificate is verified", async () => {
  await using registry = await DockerRegistry.start({ tls: true });
  await using proxy = await startProxy(Number(registry.host.split(":")[1]));
  const certificates = mkdtempSync(join(tmpdir(), "bunker-certificates-"));
  process.env["HTTPS_PROXY"] = `http://user:word@127.0.0.1:${proxy.port}`;
  try {
    await using reader = openReader("registry.example.com/image:1");
    // The tunnel ends at the tests' registry, whose certificate is neither for that host nor by a known authority.
    expect(await failureOf(reader.readManifest())).toMatchObject({ code: "registry_untrusted" });
    copyFileSync(registry.authority ?? "", join(certificates, "ca.crt"));
    await using trusting = openReader("registry.example.com/image:1", { certificateDirectory: certificates });
    expect((await failureOf(trusting.readManifest())).message).toEndWith("its certificate is for another host");
    await using careless = openReader("registry.example.com/image:1", { tlsVerify: false });
    expect(await failureOf(careless.readManifest())).toMatchObject({ code: "image_not_found" });
  } finally {
    rmSync(certificates, { recursive: true });
    delete process.env["HTTPS_PROXY"];
  }
  expect(new Set(proxy.asked)).toEqual(new Set(["CONNECT registry.example.com:443 Basic dXNlcjp3b3Jk"]));
});

test("a registry on this machine is reached directly, whatever proxies there are", async () => {
  const image = smallImage();
  await using server = await startScriptedServer((_request, response) => void response.end(image.manifest));
  process.env["HTTP_PROXY"] = "http://127.0.0.1:1";
  process.env["HTTPS_PROXY"] = "http://127.0.0.1:1";
  try {
    await using reader = openReader(`${server.host}/image:1`);
    expect((await reader.readManifest()).digest).toBe(image.manifestDigest);
  } finally {
    delete process.env["HTTP_PROXY"];
    delete process.env["HTTPS_PROXY"];
  }
});

test("what fails by a proxy is told with the proxy's host, and without its password", async () => {
  const read = () => failureOf(openReader("registry.example.com/image:1", { authFile: "/dev/null" }).readManifest());
  const asked: string[] = [];
  const proxy = createServer((_request, response) => response.end());
  proxy.on("connect", (request, client) => {
    asked.push(`${request.url}`);
    client.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const place = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    process.env["HTTPS_PROXY"] = `http://user:word@${place}`;
    expect(await read()).toEqual({
      code: "registry_unreachable",
      message: `read the manifest of registry.example.com/image:1: registry.example.com by the proxy ${place}: Proxy refused to open a tunnel: 407 Proxy Authentication Required`,
      hint: "Put USER:PASSWORD@ before the proxy's host in HTTPS_PROXY.",
    });
    expect(asked).toEqual(["registry.example.com:443"]);
    process.env["HTTPS_PROXY"] = "http://user:word@127.0.0.1:1";
    expect((await read()).message).toEndWith("registry.example.com by the proxy 127.0.0.1:1: connection refused");
  } finally {
    delete process.env["HTTPS_PROXY"];
    proxy.closeAllConnections();
    proxy.close();
  }
});
