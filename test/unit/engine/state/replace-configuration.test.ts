import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceConfiguration } from "../../../../src/engine/state/replace-configuration.ts";

const directory = mkdtempSync(join(tmpdir(), "bunker-replace-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("a configuration is replaced as a whole, and a failure leaves nothing beside it", () => {
  const path = join(directory, "config.json");
  replaceConfiguration(path, { ociVersion: "1.2.0", root: { path: "root" } });
  replaceConfiguration(path, { ociVersion: "1.2.1", root: { path: "root" } });
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ ociVersion: "1.2.1", root: { path: "root" } });
  const place = join(directory, "place");
  mkdirSync(place);
  expect(() => replaceConfiguration(place, { ociVersion: "1.2.0", root: { path: "root" } })).toThrow("EISDIR");
  expect(readdirSync(directory).toSorted()).toEqual(["config.json", "place"]);
});
