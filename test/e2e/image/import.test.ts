/* Archives of root file systems become images in the store. */
import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { busyboxMembers } from "../../fixtures/images.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { emptyStoreSuite } from "./empty-store-suite.ts";

const suite = emptyStoreSuite();
const { bunker } = suite;

describe("import", () => {
  const rootFileSystem = () => archive(busyboxMembers());

  test("a root file system, with changes, that runs", async () => {
    writeFileSync(`${suite.directory}/root.tar`, rootFileSystem());
    const changes = [
      "-c",
      "ENV PATH=/bin GREETING='good day'",
      "-c",
      'CMD ["sh", "-c", "echo $GREETING; id -un; pwd"]',
    ];
    const more = ["--change", "USER alice", "--change", "WORKDIR /home", "-m", "by hand"];
    const {
      errors,
      output: id,
      status,
    } = await bunker("import", ...changes, ...more, `${suite.directory}/root.tar`, "made");
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    expect(id).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect((await bunker("images", "-q", "--no-trunc", "made")).output).toBe(id);
    expect((await bunker("history", "made")).output).toContain("by hand");
    expect(await suite.user.run(["made"])).toMatchObject({ status: 0, output: "good day\nalice\n/home\n" });
  });

  test("gives the same image for the same archive, compressed or not, at the same time", async () => {
    const environment = { SOURCE_DATE_EPOCH: "1700000000" };
    const message = ["-m", "same"];
    const ids = [];
    for (const compress of [(bytes: Buffer) => bytes, gzipSync, zstdCompressSync]) {
      const input = compress(rootFileSystem());
      ids.push((await suite.user.bunker(["import", ...message, "-"], { input, environment })).output);
    }
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toStartWith("sha256:");
  });

  test("from a server", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/cut.tar") {
        response.writeHead(200, { "content-length": "100000" });
        response.write(rootFileSystem().subarray(0, 512), () => response.destroy());
        return;
      }
      response.writeHead(request.url === "/root.tar" ? 200 : 404);
      response.end(request.url === "/root.tar" ? rootFileSystem() : "");
    }).listen(0, "127.0.0.1");
    try {
      await new Promise((done) => server.once("listening", done));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect((await bunker("import", `${url}/root.tar`, "x:1")).status).toBe(0);
      expect((await bunker("import", `${url}/missing`)).errors).toBe(
        `bunker: download ${url}/missing: the server answered 404\n`,
      );
      const withLogin = url.replace("//", "//alice:wonderland@");
      expect((await bunker("import", `${withLogin}/root.tar`, "secret:1")).status).toBe(0);
      expect((await bunker("history", "secret:1", "--format", "{{.Comment}}")).output).toBe(
        `Imported from ${url.replace("//", "//alice:xxxxx@")}/root.tar\n`,
      );
      expect((await bunker("import", `${url}/cut.tar`)).errors).toMatch(
        /^bunker: download \S+\/cut.tar: [\d.:]+: it closed the connection\n$/,
      );
    } finally {
      server.close();
    }
  });

  test("leaves what a killed pull has left of others' files to whoever may remove it", async () => {
    expect((await suite.user.bunker(["import", "-"], { input: rootFileSystem() })).status).toBe(0);
    const left = `${suite.user.data}/tmp/left`;
    const script = `mkdir -p ${left}/diff && touch ${left}/diff/file && chown -R 1:1 ${left}/diff`;
    expect(await bunker("unshare", "sh", "-c", script)).toMatchObject({ errors: "", status: 0 });
    expect(await suite.user.bunker(["import", "-"], { input: rootFileSystem() })).toMatchObject({
      errors: "",
      status: 0,
    });
    expect(existsSync(`${left}/diff/file`)).toBe(true);
    expect((await bunker("image", "prune", "-f")).status).toBe(0);
    expect(existsSync(left)).toBe(false);
  });

  test("has one clear line for what is wrong, and leaves nothing", async () => {
    writeFileSync(`${suite.directory}/root.tar`, rootFileSystem());
    writeFileSync(`${suite.directory}/cut.tar`, rootFileSystem().subarray(0, 5000));
    const empty = archive(Array.from({ length: 1000 }, (_, index) => ({ name: `file-${index}` })));
    writeFileSync(`${suite.directory}/cut.tar.zst`, zstdCompressSync(empty).subarray(0, -5));
    writeFileSync(`${suite.directory}/out.tar`, archive([{ name: "file" }, { name: "../out" }]));
    const cases: [words: string[], message: string][] = [
      [["-c", "RUN true", `${suite.directory}/root.tar`], 'apply the change "RUN true": it may be CMD'],
      [["-c", "ENV A='b", `${suite.directory}/root.tar`], "looking for matching single-quote"],
      [["-c", "EXPOSE x", `${suite.directory}/root.tar`], 'invalid port "x"'],
      [[`${suite.directory}/cut.tar`], "it is truncated"],
      [[`${suite.directory}/cut.tar.zst`], "it cannot be decompressed (it ends in the middle of a frame)"],
      [[`${suite.directory}/out.tar`], 'out.tar: unpack "../out": the name leads out of the root directory'],
      [[`${suite.directory}/missing.tar`], "ENOENT"],
      [["http://no host/x"], "download http://no host/x: it is no URL"],
      [["http://host.invalid/x"], "download http://host.invalid/x: host.invalid: no such host"],
      [[`${suite.directory}/root.tar`, "UPPER"], "lower case"],
    ];
    for (const [words, message] of cases) {
      const { errors, status } = await bunker("import", ...words);
      expect(errors).toContain(message);
      expect(status).toBe(1);
    }
    expect((await bunker("images", "-aq")).output).toBe("");
  });
});
