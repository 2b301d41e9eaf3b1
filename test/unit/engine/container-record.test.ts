import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeContainerDirectory } from "../../../src/engine/container-directory.ts";
import {
  type ContainerRecord,
  findContainer,
  listContainers,
  removeContainer,
  writeContainerRecord,
} from "../../../src/engine/container-record.ts";
import { removeTree } from "../../../src/sys/remove-tree.ts";

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "records-"));
});
afterEach(() => rmSync(data, { recursive: true }));

function record(id: string, change: Partial<ContainerRecord> = {}): ContainerRecord {
  return { id, image: "oci:/images/busybox", command: ["sh", "-c", "true"], created: 1, ...change };
}

/** A container that has ended and stays. */
function ended(id: string, change: Partial<ContainerRecord> = {}): string {
  const options = { name: change.name, ephemeral: false };
  using directory = makeContainerDirectory(data, id, options, removeTree);
  writeContainerRecord(directory.path, record(id, change));
  return directory.path;
}

describe("listContainers", () => {
  test("none, where there never was one", () => {
    expect(listContainers(data)).toEqual([]);
  });

  test("the newest first, running or not, with --rm or without", () => {
    using running = makeContainerDirectory(data, "running", { name: "web", ephemeral: true }, removeTree);
    writeContainerRecord(running.path, record("running", { created: 20, name: "web" }));
    const old = ended("old", { created: 10, finished: 11, exitStatus: 3 });
    const young = ended("young", { created: 30 });
    expect(listContainers(data)).toEqual([
      { ...record("young", { created: 30 }), path: young, isRunning: false },
      { ...record("running", { created: 20, name: "web" }), path: running.path, isRunning: true },
      { ...record("old", { created: 10, finished: 11, exitStatus: 3 }), path: old, isRunning: false },
    ]);
  });

  test("not one that has no record yet", () => {
    using _made = makeContainerDirectory(data, "made", { name: undefined, ephemeral: false }, removeTree);
    expect(listContainers(data)).toEqual([]);
  });

  test("a record is replaced as a whole", () => {
    const path = ended("a", { name: "web" });
    writeContainerRecord(path, record("a", { exitStatus: 0 }));
    expect(listContainers(data)[0]).toEqual({ ...record("a", { exitStatus: 0 }), path, isRunning: false });
    expect(readdirSync(path)).toEqual(["container.json"]);
  });

  test.each([
    ["not JSON", "{"],
    ["empty", ""],
    ["another form", '{"id":"a"}'],
    ["a wrong type", JSON.stringify({ ...record("a"), created: "yesterday" })],
  ])("a damaged record is named: %s", (_, text) => {
    const path = ended("a");
    writeFileSync(`${path}/container.json`, text);
    expect(() => listContainers(data)).toThrow(
      expect.objectContaining({ code: "invalid_container_record", object: `${path}/container.json` }),
    );
  });
});

describe("findContainer", () => {
  beforeEach(() => {
    ended("abc1", { name: "web" });
    ended("abc2", { name: "abc" });
    ended("def", { name: "abc1x" });
  });

  test.each([
    ["web", "abc1"],
    ["abc1", "abc1"],
    ["abc2", "abc2"],
    ["abc", "abc2"],
    ["d", "def"],
    ["abc1x", "def"],
  ])("%s is %s", (reference, id) => {
    expect(findContainer(data, reference).id).toBe(id);
  });

  test.each([
    ["ab", "ambiguous_container", "several containers have ids that begin with ab"],
    ["x", "no_such_container", "No such container: x"],
    ["we", "no_such_container", "No such container: we"],
    ["", "no_such_container", "No such container: "],
  ])("%j is none", (reference, code, message) => {
    expect(() => findContainer(data, reference)).toThrow(expect.objectContaining({ code, message, exitStatus: 1 }));
  });
});

describe("removeContainer", () => {
  test("removes the directory and gives the name back", () => {
    const path = ended("a", { name: "web" });
    ended("b", { name: "db" });
    removeContainer(data, findContainer(data, "web"), removeTree);
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(`${data}/names`)).toEqual(["db"]);
  });

  test("leaves a name alone that is another container's by now", () => {
    ended("a", { name: "web" });
    const container = findContainer(data, "a");
    mkdirSync(`${data}/names`, { recursive: true });
    rmSync(`${data}/names/web`);
    ended("b", { name: "web" });
    removeContainer(data, container, removeTree);
    expect(readlinkSync(`${data}/names/web`)).toBe("b");
  });

  test("refuses a running one", () => {
    using running = makeContainerDirectory(data, "0123456789abcdef", { name: undefined, ephemeral: false }, removeTree);
    writeContainerRecord(running.path, record("0123456789abcdef"));
    expect(() => removeContainer(data, findContainer(data, "0123"), removeTree)).toThrow(
      "remove container 0123456789ab: it is running",
    );
    expect(existsSync(running.path)).toBe(true);
  });
});
