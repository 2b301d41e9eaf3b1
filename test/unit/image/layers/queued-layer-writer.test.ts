/* What the queue makes of an archive is what LayerWriter makes of it, in whatever order entries come. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileMaker } from "../../../../src/image/layers/file-maker.ts";
import { LayerWriter } from "../../../../src/image/layers/layer-writer.ts";
import { QueuedLayerWriter } from "../../../../src/image/layers/queued-layer-writer.ts";
import { openDirectory } from "../../../../src/image/layers/store-lock.ts";
import { TarReader } from "../../../../src/image/tar/tar-reader.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import { setUmask } from "../../../../src/sys/file.ts";
import { mapMemory } from "../../../../src/sys/system-call.ts";
import { archive, type Member } from "../tar-builder.ts";
import { run } from "./unpacked.ts";

const directory = mkdtempSync(join(tmpdir(), "bunker-queued-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Numbers that are the same in each run; xorshift. */
function random(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Entries that get in each other's way. */
function tangle(seed: number): Member[] {
  const below = random(seed);
  const name = () => Array.from({ length: 1 + below(3) }, () => "abc"[below(3)]).join("/");
  const whiteout = (path: string) =>
    path.replace(/[^/]*$/, (base) => (below(4) === 0 ? ".wh..wh..opq" : `.wh.${base}`));
  const files = ["a"];
  const make = (): Member => {
    const path = name();
    switch (below(8)) {
      case 0:
      case 1:
        return { name: `${path}/`, type: "5", mode: 0o700 + below(8) };
      case 2:
        return { name: path, type: "2", linkName: below(2) === 0 ? name() : `/${name()}` };
      case 3:
        return { name: path, type: "1", linkName: files[below(files.length)] ?? "" };
      case 4:
        return { name: whiteout(path) };
      case 5:
        return { name: path, type: "6" };
      default:
        files.push(path);
        return { name: path, mode: 0o600 + below(64), content: `${path} ${below(1000)}` };
    }
  };
  return Array.from({ length: 3 + below(12) }, make);
}

/** What is in a directory afterwards, unless it cannot be: which of several reasons is told depends on the way. */
function outcome(path: string, unpack: (root: number) => void): string {
  const umask = setUmask(0);
  using root = openDirectory(path);
  try {
    unpack(root.number);
  } catch (error) {
    if (!(error instanceof BunkerError)) throw error;
    return "failure";
  } finally {
    setUmask(umask);
  }
  // Directories without an entry have the present time, and sizes as the file system likes them.
  const now = new RegExp(`${String(Date.now()).slice(0, 4)}\\d{6}[.]\\d+`, "g");
  const list = run(["find", path, "-printf", "%P %y %m %n %l %T@ %s\n"]);
  const found = list.replace(/( d .*) \d+$/gm, "$1").replaceAll(now, "now");
  const files = run(["find", path, "-type", "f", "-printf", "%P\n"]).trim().split("\n").filter(Boolean);
  const contents = files.map((file) => `${file}: ${readFileSync(join(path, file), "latin1")}`);
  const opaque = run(["sh", "-c", `cd ${path} && find . -type d -exec getfattr -d {} +`]);
  return [found.split("\n").toSorted().join("\n"), ...contents.toSorted(), opaque].join("\n");
}

function write(members: readonly Member[], kind: "direct" | "queued"): string {
  const path = mkdtempSync(join(directory, `${kind}-`));
  const bytes = archive(members);
  const result = outcome(path, (root) => {
    using memory = mapMemory(bytes.length, "private");
    memory.buffer.set(bytes);
    using maker = new FileMaker(undefined);
    using writer =
      kind === "direct"
        ? new LayerWriter(root, "single", () => undefined)
        : new QueuedLayerWriter(root, "single", () => undefined, maker, undefined);
    const reader = new TarReader(writer);
    const piece = memory.buffer.subarray(0, bytes.length);
    if (writer instanceof QueuedLayerWriter) writer.beginPiece(piece, memory.address);
    reader.feed(piece);
    reader.finish();
    if (writer instanceof QueuedLayerWriter) writer.settle();
    writer.finish([]);
  });
  return result.replaceAll(path, "");
}

test("entries that get in each other's way leave the same", () => {
  let successes = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const members = tangle(seed);
    const direct = write(members, "direct");
    expect({ seed, members, result: write(members, "queued") }).toEqual({ seed, members, result: direct });
    if (direct !== "failure") successes++;
  }
  // Otherwise nothing but errors has been compared.
  expect(successes).toBeGreaterThan(15);
}, 60_000);

test("a hard link that has nothing to lead to is refused", () => {
  const refused: Member[][] = [
    [{ name: "usr/.wh.gone" }, { name: "link", type: "1", linkName: "usr/gone" }],
    [{ name: "link", type: "1", linkName: "link" }],
    [
      { name: "usr/", type: "5" },
      { name: "link", type: "1", linkName: "usr" },
    ],
    [{ name: "link", type: "1", linkName: "later" }, { name: "later" }],
  ];
  const results = refused.flatMap((members) => [write(members, "direct"), write(members, "queued")]);
  expect(results).toEqual(results.map(() => "failure"));
});

test("an entry for what a hard link on the slow way has made replaces it", () => {
  const members: Member[] = [
    { name: "usr/file", content: "first" },
    { name: "lib", type: "2", linkName: "usr" },
    { name: "link", type: "1", linkName: "lib/file" },
    { name: "link", content: "second" },
    { name: "usr/other", content: "third" },
  ];
  expect(write(members, "queued")).toBe(write(members, "direct"));
});
