import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "../../../../src/image/digest.ts";
import { lockStore } from "../../../../src/image/layers/store-lock.ts";
import { blobPath } from "../../../../src/image/layout-files.ts";
import { parsePlatform } from "../../../../src/image/platform.ts";
import { collectGarbage } from "../../../../src/image/store/collect-garbage.ts";
import { familiarName, type ImageStore, openImageStore } from "../../../../src/image/store/image-store.ts";
import { imageTables } from "../../../../src/image/store/image-tables.ts";
import { pruneImages } from "../../../../src/image/store/prune-images.ts";
import { type ImageUser, removeImage } from "../../../../src/image/store/remove-image.ts";
import { type BlobDescriptor, contentSize } from "../../../../src/image/store/stored-image.ts";
import { openStateDatabase } from "../../../../src/state/state-database.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import { INDEX_TYPE, MANIFEST_TYPE, pack, tagged, writeImage, writeJson, writeLayout } from "../image-builder.ts";
import { archive } from "../tar-builder.ts";

let data: string;
let store: ImageStore;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "bunker-images-"));
  store = openImageStore(data);
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(data, { recursive: true });
});

const base = pack(archive([{ name: "base", content: Buffer.alloc(1000) }]));
const top = pack(archive([{ name: "top", content: "x" }]));

/** Writes an image's blobs and adds it under names of docker.io/library. */
function add(names: readonly string[], more: object = {}, layers = [base]): BlobDescriptor {
  const manifest = writeImage(data, layers, more) as BlobDescriptor;
  const repositories = [...new Set(names.map((name) => name.slice(0, name.lastIndexOf(":"))))];
  store.add({ manifest, target: manifest, names, repositories });
  return manifest;
}

const blobs = () => readdirSync(`${data}/blobs/sha256`).length;
const debian = "docker.io/library/debian";
const nobody = { usersOf: (): ImageUser[] => [], layersInUse: () => [] as Digest[], removeTree };

function removeTree(path: string): void {
  rmSync(path, { recursive: true });
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof BunkerError) return error.code;
    throw error;
  }
}

describe("an image is found", () => {
  test("by its names, its digest and its id", () => {
    const manifest = add([`${debian}:12`, `${debian}:latest`], { created: "2024-05-06T07:08:09Z" });
    const { id } = store.find("debian:12");
    const texts = ["debian", "docker.io/debian:12", `debian@${manifest.digest}`, `debian:9@${manifest.digest}`];
    for (const text of [...texts, id, id.slice(7), id.slice(7, 12), id.slice(0, 12)])
      expect(store.find(text).id).toBe(id);
    expect(store.find("debian")).toMatchObject({
      names: [`${debian}:12`, `${debian}:latest`],
      repositoryDigests: [`${debian}@${manifest.digest}`],
      created: Date.UTC(2024, 4, 6, 7, 8, 9),
      platform: { os: "linux", architecture: "amd64" },
    });
  });

  test("not by anything else", () => {
    add([`${debian}:12`]);
    for (const text of ["debian", "debian:1", "deb", `debian@sha256:${"0".repeat(64)}`, "f".repeat(64)]) {
      expect(codeOf(() => store.find(text))).toBe("image_not_found");
    }
    expect(codeOf(() => store.find("Debian"))).toBe("invalid_reference");
  });

  test("by the beginning of an id only when that is the only one", () => {
    for (let number = 0; number < 40; number++) add([`${debian}:${number}`], { author: String(number) });
    const first = store.list().map(({ id }) => id.slice(7, 8));
    const twice = first.find((digit, index) => first.indexOf(digit) !== index) ?? "";
    expect(codeOf(() => store.find(`sha256:${twice}`))).toBe("image_ambiguous");
  });

  test("for the platform that is asked for", () => {
    const manifests = ["amd64", "arm64"].map((architecture) => writeImage(data, [base], { architecture }));
    const target = writeJson(data, { schemaVersion: 2, manifests }, INDEX_TYPE) as BlobDescriptor;
    for (const manifest of manifests as BlobDescriptor[]) {
      store.add({ manifest, target, names: [`${debian}:12`], repositories: [debian] });
    }
    const architectureOf = (platform?: string) =>
      store.find("debian:12", platform === undefined ? undefined : parsePlatform(platform)).platform.architecture;
    expect([architectureOf(), architectureOf("amd64"), architectureOf("arm64")]).toEqual(["arm64", "amd64", "arm64"]);
    expect(codeOf(() => architectureOf("s390x"))).toBe("image_not_found");
    expect(() => architectureOf("s390x")).toThrow(
      "find the image debian:12: it is here for linux/arm64, not for linux/s390x",
    );
    expect(store.find(`debian@${target.digest}`).platform.architecture).toMatch(/^a/);
  });
});

test("names move to the image that they are given last, and the other one stays without", () => {
  add([`${debian}:12`], { author: "old" });
  const { id } = store.find("debian:12");
  add([`${debian}:12`], { author: "new" });
  expect(store.find("debian:12").id).not.toBe(id);
  expect(store.find(id).names).toEqual([]);
  store.tag(store.find(id), "docker.io/library/old:1");
  expect(store.find("old:1").id).toBe(id);
  expect(store.list().map(({ names }) => names.map(familiarName))).toEqual([["old:1"], ["debian:12"]]);
});

test("it is known when an image last got a name, by coming or later", () => {
  const old = Date.UTC(2024, 0, 1);
  add([`${debian}:12`]);
  store.state.run("UPDATE image SET added = ?", old);
  expect(store.find("debian:12")).toMatchObject({ added: old, tagged: old });

  const before = Date.now();
  store.tag(store.find("debian:12"), `${debian}:13`);
  const { added, tagged } = store.find("debian:12");
  expect(added).toBe(old);
  expect(tagged).toBeGreaterThanOrEqual(before);

  store.state.run("UPDATE image SET tagged = ?", old);
  add([`${debian}:12`]);
  expect(store.find("debian:12").tagged).toBeGreaterThanOrEqual(before);
});

test("an older program goes on with the images of this one, and this one with the older one's", () => {
  const older = { ...imageTables, migrations: imageTables.migrations.slice(0, -1) };
  add([`${debian}:12`]);
  openStateDatabase(data, [older])[Symbol.dispose]();

  store.state.run("ALTER TABLE image DROP COLUMN tagged");
  const { length } = older.migrations;
  store.state.run("UPDATE component SET version = ? WHERE name = 'images'", length);
  store[Symbol.dispose]();
  store = openImageStore(data);
  const { added, tagged } = store.find("debian:12");
  expect(tagged).toBe(added);
});

test("it is known which repositories have a blob, also after a push", () => {
  const own = "localhost:5000/own";
  add([`${debian}:12`]);
  add(["docker.io/library/derived:1"], {}, [base, top]);
  const derived = store.find("derived:1");
  const [below, above] = derived.layers;
  if (below === undefined || above === undefined) throw new Error("the image has two layers");
  store.noteRepository(derived, derived.manifest.digest, own);
  store.noteRepository(store.find("derived:1"), derived.manifest.digest, own);
  expect(store.find("derived:1").repositoryDigests).toEqual([
    `docker.io/library/derived@${derived.manifest.digest}`,
    `${own}@${derived.manifest.digest}`,
  ]);
  expect(store.repositoriesOf(below.digest)).toEqual([debian, "docker.io/library/derived", own]);
  expect(store.repositoriesOf(above.digest)).toEqual(["docker.io/library/derived", own]);
  expect(store.repositoriesOf(derived.id)).toEqual(["docker.io/library/derived", own]);
});

test("blobs that images share are counted once", () => {
  add([`${debian}:1`]);
  const alone = contentSize(store.list());
  add([`${debian}:2`], {}, [base, top]);
  expect(contentSize(store.list()) - alone).toBeLessThan(base.bytes.length + top.bytes.length);
});

test("the index of the layout follows", () => {
  add([`${debian}:12`, `${debian}:13`]);
  const names = () =>
    JSON.parse(readFileSync(`${data}/index.json`, "utf8")).manifests.map(
      ({ annotations }: { annotations: Record<string, string> }) => annotations["org.opencontainers.image.ref.name"],
    );
  expect(names()).toEqual([`${debian}:12`, `${debian}:13`]);
  store.untag(`${debian}:12`);
  expect(names()).toEqual([`${debian}:13`]);
  expect(JSON.parse(readFileSync(`${data}/oci-layout`, "utf8"))).toEqual({ imageLayoutVersion: "1.0.0" });
  expect(readdirSync(data).filter((name) => name.startsWith("index.json"))).toEqual(["index.json"]);
});

describe("removing", () => {
  test("by name takes the name away, and the image with the last one", () => {
    const { digest } = add([`${debian}:12`, `${debian}:13`]);
    const { id } = store.find("debian:12");
    expect(removeImage(store, "debian:12", false, nobody)).toEqual({ untagged: ["debian:12"], deleted: [] });
    expect(removeImage(store, "debian:13", false, nobody)).toEqual({
      untagged: ["debian:13", `debian@${digest}`],
      deleted: [id],
    });
    expect(store.list()).toEqual([]);
    expect(blobs()).toBe(0);
  });

  test("by id takes all names of one repository, of several only when forced", () => {
    add([`${debian}:12`, `${debian}:13`, "localhost/mine:1"]);
    const { id } = store.find("debian:12");
    expect(codeOf(() => removeImage(store, id, false, nobody))).toBe("image_has_names");
    expect(removeImage(store, id.slice(7, 20), true, nobody).untagged).toHaveLength(5);
    expect(blobs()).toBe(0);
  });

  test("keeps what other images share, and what containers lie on", () => {
    add([`${debian}:1`], {}, [base]);
    add([`${debian}:2`], {}, [base, top]);
    const { layers } = store.find("debian:2");
    for (const { chainId } of layers)
      mkdirSync(`${data}/layers/${chainId.replace(":", "-")}/diff`, { recursive: true });
    const inUse = { ...nobody, layersInUse: () => layers.slice(1).map(({ chainId }) => chainId) };
    removeImage(store, "debian:2", false, inUse);
    expect(readdirSync(`${data}/layers`)).toHaveLength(2);
    expect(collectGarbage(store, nobody).layers).toEqual(layers.slice(1).map(({ chainId }) => chainId));
    expect(readdirSync(`${data}/layers`)).toHaveLength(1);
    expect(readdirSync(`${data}/tmp`)).toEqual([]);
    expect(blobs()).toBe(3);
  });

  test("removes what the dead have left on the way, and leaves it to the living", () => {
    const left = `${data}/tmp/left`;
    {
      using _atWork = lockStore(data);
      mkdirSync(`${left}/diff`, { recursive: true });
      collectGarbage(store, nobody);
      expect(existsSync(left)).toBe(true);
      rmSync(left, { recursive: true });
    }
    mkdirSync(`${left}/diff`, { recursive: true });
    writeFileSync(`${data}/tmp/layer.lock`, "");
    collectGarbage(store, nobody);
    expect(readdirSync(`${data}/tmp`)).toEqual([]);
  });

  test("brings index.json up to date before what it names goes, when somebody was killed before he did", () => {
    const { digest } = add([`${debian}:12`]);
    const index = () => JSON.parse(readFileSync(`${data}/index.json`, "utf8")).manifests;
    expect(index()).toMatchObject([{ digest }]);
    store.state.run("DELETE FROM image WHERE manifest = ?", digest);
    writeFileSync(`${data}/index.json.new`, '{"half":');
    expect(collectGarbage(store, nobody).blobs).toHaveLength(3);
    expect(index()).toEqual([]);
    expect(existsSync(`${data}/index.json.new`)).toBe(false);
  });

  test("lets those who are asked use the database themselves", () => {
    add([`${debian}:1`]);
    const layersInUse = () => {
      using state = openStateDatabase(data, [{ name: "users", migrations: ["CREATE TABLE user (id TEXT) STRICT"] }]);
      state.run("INSERT INTO user VALUES ('somebody')");
      return [];
    };
    expect(collectGarbage(store, { ...nobody, layersInUse }).layers).toEqual([]);
  });

  test("of what a container uses has to be forced, of what one runs from is refused", () => {
    add([`${debian}:12`]);
    const user = (isRunning: boolean) => ({ ...nobody, usersOf: () => [{ id: "c".repeat(64), isRunning }] });
    expect(codeOf(() => removeImage(store, "debian:12", false, user(false)))).toBe("image_in_use");
    expect(codeOf(() => removeImage(store, "debian:12", true, user(true)))).toBe("image_in_use");
    expect(removeImage(store, "debian:12", true, user(false)).deleted).toHaveLength(1);
  });

  test("of a list leaves its images", () => {
    const manifest = add([`${debian}:12`]);
    const list = writeJson(data, { schemaVersion: 2, manifests: [manifest] }, INDEX_TYPE) as BlobDescriptor;
    store.setList("localhost/list:latest", list);
    expect(store.lists()).toEqual([{ name: "localhost/list:latest", target: list }]);
    expect(store.target("localhost/list:latest")).toEqual(list);
    removeImage(store, "debian:12", false, nobody);
    expect(store.blobPath(manifest.digest)).toBeDefined();
    expect(removeImage(store, "localhost/list", false, nobody).untagged).toEqual(["localhost/list:latest"]);
    expect(blobs()).toBe(0);
  });
});

describe("a second store", () => {
  test("is looked up after the own one, and never changed", () => {
    const { digest } = add([`${debian}:12`]);
    const own = mkdtempSync(join(tmpdir(), "bunker-images-"));
    try {
      using other = openImageStore(own, [data]);
      expect(other.find("debian:12")).toMatchObject({ store: data, isReadOnly: true });
      expect(other.find(`debian@${digest}`).id).toBe(other.find("debian:12").id);
      expect(other.list()).toHaveLength(1);
      expect(other.blobPath(digest)).toStartWith(data);
      expect(codeOf(() => removeImage(other, "debian:12", true, nobody))).toBe("store_read_only");
      expect(codeOf(() => other.tag(other.find("debian:12"), `${debian}:13`))).toBe("store_read_only");
      collectGarbage(other, nobody);
      expect(existsSync(`${data}/index.json`)).toBe(true);
      expect(blobs()).toBe(3);
    } finally {
      rmSync(own, { recursive: true });
    }
  });

  test("may have artifacts, attestations and what is just being removed beside its images", () => {
    const other = mkdtempSync(join(tmpdir(), "bunker-images-"));
    try {
      const image = writeImage(other, [base]);
      const gone = writeImage(other, [top]);
      const config = writeJson(other, {}, "application/vnd.oci.empty.v1+json");
      const artifact = writeJson(other, { schemaVersion: 2, config, layers: [] }, MANIFEST_TYPE);
      const statement = { ...base, mediaType: "application/vnd.in-toto+json" };
      const unknown = { os: "unknown", architecture: "unknown" };
      const others = [writeImage(other, [statement]), writeImage(other, [base], unknown)];
      const unconfigured = writeImage(other, [base], { author: "removed" });
      const { digest } = JSON.parse(readFileSync(`${other}/${blobPath(unconfigured.digest as Digest)}`, "utf8")).config;
      for (const removed of [gone.digest as Digest, digest]) rmSync(`${other}/${blobPath(removed)}`);
      writeLayout(other, [
        tagged(artifact, "docker.io/library/artifact:1"),
        ...others,
        gone,
        unconfigured,
        tagged(image, "docker.io/library/there:1"),
      ]);
      using both = openImageStore(data, [other]);
      expect(both.list()).toMatchObject([{ names: ["docker.io/library/there:1"], store: other }]);
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  test("need not have names for its images, and none that cannot be read stops a list", () => {
    add([`${debian}:12`]);
    const { id } = store.find("debian:12");
    const index = JSON.parse(readFileSync(`${data}/index.json`, "utf8"));
    const [entry] = index.manifests;
    const other = mkdtempSync(join(tmpdir(), "bunker-images-"));
    try {
      cpSync(`${data}/blobs`, `${other}/blobs`, { recursive: true });
      const names = ["Hello World", "1.0", "debian:12", debian, `${debian}:13`];
      const manifests = names.map((name) => ({
        ...entry,
        annotations: { "org.opencontainers.image.ref.name": name, "bunker.repository-digests": `x ${debian}@sha256:1` },
      }));
      writeFileSync(`${other}/index.json`, JSON.stringify({ ...index, manifests }));
      using empty = openImageStore(`${other}/own`, [other]);
      expect(empty.list()).toMatchObject([{ id, names: [`${debian}:13`], repositoryDigests: [] }]);
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  test("is named by a variable, or else by a file, and has to be one", () => {
    add([`${debian}:12`]);
    const own = mkdtempSync(join(tmpdir(), "bunker-images-"));
    const before = process.env["XDG_CONFIG_HOME"];
    const names = () => {
      using other = openImageStore(`${own}/data`);
      return other.list().map((image) => image.store);
    };
    try {
      process.env["XDG_CONFIG_HOME"] = own;
      mkdirSync(`${own}/bunker`);
      const file = `${own}/bunker/image-stores`;
      writeFileSync(file, `# for all\n\n  ${data}\n`);
      expect(names()).toEqual([data]);
      process.env["BUNKER_ADDITIONAL_STORES"] = "";
      expect(names()).toEqual([]);
      process.env["BUNKER_ADDITIONAL_STORES"] = "/nonexistent";
      expect(codeOf(names)).toBe("invalid_store");
      delete process.env["BUNKER_ADDITIONAL_STORES"];
      writeFileSync(file, "relative\n");
      expect(names).toThrow("use the additional store relative: its path is not absolute");
      rmSync(file);
      mkdirSync(file);
      expect(names).toThrow(`read ${file}: EISDIR`);
    } finally {
      delete process.env["BUNKER_ADDITIONAL_STORES"];
      if (before === undefined) delete process.env["XDG_CONFIG_HOME"];
      else process.env["XDG_CONFIG_HOME"] = before;
      rmSync(own, { recursive: true });
    }
  });
});

test("a document that was changed on disk is not believed", () => {
  add([`${debian}:12`]);
  const { id } = store.find("debian:12");
  const path = store.blobPath(id) ?? "";
  writeFileSync(path, readFileSync(path, "utf8").replace("amd64", "amd65"));
  expect(codeOf(() => store.readConfiguration({ id }))).toBe("digest_mismatch");
});

test("tools of others read it", () => {
  const { digest } = add([`${debian}:12`]);
  add(["localhost:5000/some/thing:1.0"], { author: "other" }, [base, top]);
  const run = (...words: string[]) => {
    const { stdout, stderr, success } = Bun.spawnSync(words);
    if (!success) throw new Error(stderr.toString());
    return stdout.toString();
  };
  const inspected = JSON.parse(run("skopeo", "inspect", `oci:${data}:${debian}:12`));
  expect(inspected.Digest).toBe(digest);
  expect(run("umoci", "ls", "--layout", data).trim().split("\n").sort()).toEqual([
    `${debian}:12`,
    "localhost:5000/some/thing:1.0",
  ]);
  expect(JSON.parse(run("umoci", "stat", "--json", "--image", `${data}:${debian}:12`)).history).toBeDefined();
});

/** A process that gives an image a name, and is killed when its rows are there and index.json is not yet. */
const KILLED = `
import { openImageStore } from "${join(import.meta.dir, "../../../../src/image/store/image-store.ts")}";
const [data, image, name] = process.argv.slice(1);
const store = openImageStore(data);
store.tag(store.find(image), name);
`;

test("index.json follows when somebody was killed before writing it", async () => {
  add([`${debian}:12`]);
  const indexed = () =>
    JSON.parse(readFileSync(`${data}/index.json`, "utf8")).manifests.map(
      ({ annotations }: { annotations: Record<string, string> }) => annotations["org.opencontainers.image.ref.name"],
    );
  expect(indexed()).toEqual([`${debian}:12`]);
  // Nobody reads from it, so whoever opens it for writing waits.
  expect(Bun.spawnSync(["mkfifo", `${data}/index.json.new`]).success).toBe(true);
  const child = Bun.spawn([process.execPath, "-e", KILLED, data, "debian:12", `${debian}:13`], { stderr: "pipe" });
  while (store.target(`${debian}:13`) === undefined && child.exitCode === null) await Bun.sleep(5);
  child.kill("SIGKILL");
  expect(await child.exited).not.toBe(0);
  rmSync(`${data}/index.json.new`);
  expect(indexed()).toEqual([`${debian}:12`]);

  openImageStore(data)[Symbol.dispose]();
  expect(indexed()).toEqual([`${debian}:12`, `${debian}:13`]);
});

test("names with a digest, of earlier versions, become what the image is known by in repositories", () => {
  const { digest } = add([`${debian}:12`]);
  const other = `sha256:${"a".repeat(64)}`;
  for (const name of [`${debian}@${digest}`, `host:5000/a/b:1@${digest}`, `${debian}:13@${other}`]) {
    store.state.run(
      `INSERT INTO name SELECT ?, target, target_media_type, target_size, image FROM name
       WHERE reference = '${debian}:12'`,
      name,
    );
  }
  store.state.run("UPDATE layout_index SET changes = changes + 1");
  store.state.run("ALTER TABLE image DROP COLUMN tagged");
  store.state.run("UPDATE component SET version = 4, compatible_from = 4 WHERE name = 'images'");
  store[Symbol.dispose]();
  store = openImageStore(data);
  const [image] = store.list();
  expect(image?.names).toEqual([`${debian}:12`]);
  expect(image?.repositoryDigests).toEqual([`${debian}@${digest}`, `host:5000/a/b@${digest}`]);
  expect(store.find(`host:5000/a/b@${digest}`).manifest.digest).toBe(digest as Digest);
  expect(store.state.all("SELECT reference FROM name_history")).toEqual([{ reference: `${debian}:12` }]);
  const { manifests } = JSON.parse(readFileSync(`${data}/index.json`, "utf8"));
  expect(manifests).toMatchObject([{ annotations: { "org.opencontainers.image.ref.name": `${debian}:12` } }]);
});

test("an image that has lost its own name stays as long as the index that it is part of", () => {
  const manifests = ["amd64", "arm64"].map((architecture) => writeImage(data, [base], { architecture }));
  const target = writeJson(data, { schemaVersion: 2, manifests }, INDEX_TYPE) as BlobDescriptor;
  for (const manifest of manifests as BlobDescriptor[])
    store.add({ manifest, target, names: [`${debian}:12`], repositories: [] });
  const [first] = manifests as BlobDescriptor[];
  if (first === undefined) throw new Error("unexpected");
  store.add({ manifest: first, target: first, names: [`${debian}:single`], repositories: [] });
  expect(removeImage(store, "debian:single", false, nobody)).toEqual({ untagged: ["debian:single"], deleted: [] });
  expect(store.own()).toHaveLength(2);
  expect(existsSync(`${data}/${blobPath(first.digest)}`)).toBe(true);
  expect(removeImage(store, "debian:12", false, nobody).untagged).toEqual(["debian:12"]);
  expect(store.own()).toHaveLength(0);
});

describe("a name that an image gets while it is about to be removed", () => {
  /** Somebody else names an image when it has been found, and others are about to be kept from that. */
  function nameMeanwhile(text: string, name: string): void {
    const { changeAlone } = store;
    store.changeAlone = (ask, work) => {
      store.changeAlone = changeAlone;
      using another = openImageStore(data);
      another.tag(another.find(text), name);
      return store.changeAlone(ask, work);
    };
  }

  test("stays, with the image, when the last one before it is taken away", () => {
    const { digest } = add([`${debian}:12`]);
    nameMeanwhile("debian:12", `${debian}:13`);
    expect(removeImage(store, "debian:12", false, nobody)).toEqual({ untagged: ["debian:12"], deleted: [] });
    expect(store.find("debian:13").manifest.digest).toBe(digest);
    expect(existsSync(`${data}/${blobPath(digest)}`)).toBe(true);
  });

  test("stays, with the image, when those without a name are pruned", () => {
    const { digest } = add([]);
    add([], { author: "other" });
    nameMeanwhile(store.find(store.own([digest])[0]?.id ?? "").id, `${debian}:13`);
    const { removals } = pruneImages(store, ({ names }) => names.length === 0, nobody);
    expect(removals).toHaveLength(1);
    expect(store.find("debian:13").manifest.digest).toBe(digest);
    expect(store.own()).toHaveLength(1);
  });
});
