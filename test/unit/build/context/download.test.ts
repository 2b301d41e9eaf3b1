import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { downloadFile } from "../../../../src/build/context/download.ts";
import { type Digest, digestOf } from "../../../../src/image/digest.ts";
import { TemporaryTree } from "../files/trees.ts";

const never = new AbortController().signal;
const modified = "Fri, 13 Feb 2009 23:31:30 GMT";
let failures = 0;
let server: Bun.Server<undefined>;

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/moved") return new Response("", { status: 302, headers: { location: "/d/file.txt" } });
      if (pathname === "/circle") return new Response("", { status: 307, headers: { location: "/circle" } });
      if (pathname === "/nowhere") return new Response("", { status: 302, headers: { location: "http://[" } });
      if (pathname === "/elsewhere")
        return new Response("", { status: 302, headers: { location: "file:///etc/passwd" } });
      if (pathname === "/busy" && failures++ === 0) {
        return new Response("", { status: 503, headers: { "retry-after": "0" } });
      }
      if (pathname === "/login") return new Response(request.headers.get("authorization") ?? "none");
      if (pathname === "/none") return new Response("", { status: 404 });
      return new Response("content", { headers: { "last-modified": modified } });
    },
  });
});
afterAll(() => server.stop(true));

function download(path: string, place: TemporaryTree, checksum?: Digest) {
  return downloadFile(new URL(path, server.url), place.path, checksum, never);
}

describe("a download", () => {
  test("has the name of the URL, the time of the server, and a mode of its own", async () => {
    using place = new TemporaryTree();
    const digest = digestOf("content");
    expect(await download("/d/file.txt?query", place, digest)).toEqual({ name: "file.txt", digest, size: 7 });
    const { mode, mtimeMs } = statSync(place.at("file.txt"));
    expect([mode & 0o7777, mtimeMs]).toEqual([0o600, Date.parse(modified)]);
    expect(readFileSync(place.at("file.txt"), "utf8")).toBe("content");
  });

  test.each([
    ["/", "context"],
    ["/d/", "context"],
    ["/a%20b", "a b"],
    ["/..%2fx", "context"],
    ["/%ff", "%ff"],
  ])("of %s is called %s", async (path, name) => {
    using place = new TemporaryTree();
    expect(await download(path, place)).toMatchObject({ name });
    expect(readdirSync(place.path)).toEqual([name]);
  });

  test("follows redirects and tries again", async () => {
    using place = new TemporaryTree();
    expect(await download("/moved", place)).toMatchObject({ name: "moved", size: 7 });
    expect(await download("/busy", place)).toMatchObject({ name: "busy", size: 7 });
  });

  test("sends the login of the URL", async () => {
    using place = new TemporaryTree();
    const url = new URL("/login", server.url);
    url.username = "user";
    url.password = "p%40ss";
    await downloadFile(url, place.path, undefined, never);
    expect(readFileSync(place.at("login"), "utf8")).toBe(`Basic ${btoa("user:p@ss")}`);
    await downloadFile(new URL(url.href.replace("p%40ss", "100%")), place.path, undefined, never);
    expect(readFileSync(place.at("login"), "utf8")).toBe(`Basic ${btoa("user:100%")}`);
  });

  test("that fails leaves nothing", async () => {
    using place = new TemporaryTree();
    const wrong = digestOf("other");
    await expect(download("/x", place, wrong)).rejects.toThrow(/verify .*\/x: its digest is sha256:.* and not sha256:/);
    await expect(download("/none", place)).rejects.toThrow(/download .*\/none: the server answered 404/);
    await expect(download("/circle", place)).rejects.toThrow(/redirects more than 10 times/);
    await expect(download("/elsewhere", place)).rejects.toThrow(/it redirects to file:/);
    await expect(download("/nowhere", place)).rejects.toThrow(/it redirects to http:\/\/\[$/);
    const secure = new URL("/x", server.url);
    secure.protocol = "https:";
    await expect(downloadFile(secure, place.path, undefined, never)).rejects.toMatchObject({ code: "download_failed" });
    expect(readdirSync(place.path)).toEqual([]);
  });
});
