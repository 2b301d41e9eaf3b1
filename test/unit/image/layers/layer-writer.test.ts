import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LayerWriter } from "../../../../src/image/layers/layer-writer.ts";
import { openDirectory } from "../../../../src/image/layers/store-lock.ts";
import { TarReader } from "../../../../src/image/tar/tar-reader.ts";
import { archive } from "../tar-builder.ts";
import { run } from "./unpacked.ts";

const directory = mkdtempSync(join(tmpdir(), "bunker-layer-writer-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

// Of this number no device is made, whoever asks.
const device = { name: "dev/device", type: "3", device: [0, 0] } as const;

test.each([
  ["layer", false],
  ["tree", true],
] as const)("a device below dev/ of a %s that cannot be made is recorded: %p", (content, isRecorded) => {
  const path = mkdtempSync(join(directory, `${content}-`));
  const losses: string[] = [];
  using root = openDirectory(path);
  using writer = new LayerWriter(root.number, "single", (_, entry) => losses.push(entry), content);
  const reader = new TarReader(writer);
  reader.feed(archive([device]));
  reader.finish();
  writer.finish([]);
  expect(existsSync(`${path}/dev/device`)).toBe(isRecorded);
  expect(losses).toEqual(isRecorded ? ["dev/device"] : []);
  if (!isRecorded) return;
  const record = run(["getfattr", "--only-values", "-n", "user.containers.override_stat", `${path}/dev/device`]);
  expect(record).toBe("0:0:0644:char-0-0");
});
