import { afterAll, describe, expect, test } from "bun:test";
import { chownSync, statSync } from "node:fs";
import { unpackContext } from "../../../../src/build/context/unpack-context.ts";
import { TemporaryTree } from "../files/trees.ts";

const never = new AbortController().signal;
const umask = process.umask();
afterAll(() => expect(process.umask()).toBe(umask));

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function archive(source: TemporaryTree, ...options: string[]): Buffer {
  const { stdout, stderr, exitCode } = Bun.spawnSync(["tar", "-C", source.at("in"), "-cf", "-", ...options, "."]);
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout;
}

describe("a context in a stream", () => {
  test.each([
    ["plain", []],
    ["gzip", ["--gzip"]],
    ["bzip2", ["--bzip2"]],
    ["zstd", ["--zstd"]],
  ])("as an archive, %s, belongs to the caller", async (_, options) => {
    using place = new TemporaryTree({ "in/Dockerfile": "FROM scratch", "in/d/a": "a", "in/d/l": "-> ../Dockerfile" });
    chownSync(place.at("in/d/a"), 1234, 1234);
    Bun.spawnSync(["mknod", place.at("in/null"), "c", "1", "3"]);
    const made = await unpackContext("-", inPieces(archive(place, ...options), 1000), place.at("out"), never);
    expect(made).toEqual({ kind: "files", warnings: [] });
    const found = Object.entries(place.describe()).filter(([name]) => name.startsWith("out/"));
    expect(Object.fromEntries(found)).toEqual({
      "out/Dockerfile": "FROM scratch",
      "out/d/a": "a",
      "out/d/l": "-> ../Dockerfile",
    });
    expect(statSync(place.at("out/d/a")).uid).toBe(0);
  });

  test("that is no archive is a Dockerfile", async () => {
    using place = new TemporaryTree();
    for (const [index, text] of ["FROM scratch\n", "", `FROM x\n${"#\n".repeat(1000)}`].entries()) {
      const made = await unpackContext("-", inPieces(Buffer.from(text), 100), place.at(`out${index}`), never);
      expect(made).toEqual({ kind: "dockerfile", content: Buffer.from(text) });
    }
  });

  test("that is damaged, hostile or too large is an error", async () => {
    using place = new TemporaryTree({ "in/a": "a".repeat(5000) });
    const whole = archive(place);
    const unpack = (bytes: Uint8Array, name: string) => unpackContext("-", inPieces(bytes, 512), place.at(name), never);
    await expect(unpack(whole.subarray(0, 2048), "cut")).rejects.toThrow(/archive/);
    const out = archive(place, "-P", "--transform=s,./a,../../escaped,");
    await expect(unpack(out, "hostile")).rejects.toThrow(/leads out of the root/);
    await expect(unpack(Buffer.alloc((16 << 20) + 1, "#"), "large")).rejects.toThrow(/larger than 16 MiB/);
  });

  test("ends when it is interrupted", async () => {
    using place = new TemporaryTree({ "in/a": "a".repeat(5000) });
    const stopped = new AbortController();
    stopped.abort(new Error("stop"));
    const unpacking = unpackContext("-", inPieces(archive(place), 512), place.at("out"), stopped.signal);
    await expect(unpacking).rejects.toThrow("stop");
  });
});
