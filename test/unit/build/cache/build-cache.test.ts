import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BuildCache } from "../../../../src/build/cache/build-cache.ts";
import { takeCacheMount } from "../../../../src/build/cache/cache-mount.ts";
import { bytesToKeep, usualLimits, WITHOUT_LIMITS } from "../../../../src/build/cache/cache-space.ts";
import { lockKey } from "../../../../src/build/cache/key-lock.ts";
import { collectCache, listCache, pruneCache } from "../../../../src/build/cache/prune-cache.ts";
import { digestOf } from "../../../../src/image/digest.ts";

const { signal } = new AbortController();
const everything = { all: true, until: undefined, ids: [], types: [], space: WITHOUT_LIMITS };
const key = (name: string) => digestOf(Buffer.from(name));

let data = "";
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "bunker-build-cache-"));
});
afterEach(() => rmSync(data, { recursive: true }));

/** Adds a layer with one file to a cache. */
function add(cache: BuildCache, name: string, lower: Parameters<BuildCache["add"]>[0]["lower"] = []) {
  const staging = cache.makeStaging();
  mkdirSync(`${staging}/diff`);
  writeFileSync(`${staging}/diff/file`, name);
  return cache.add({ staging, lower, description: name, keys: [key(name)] });
}

test("finds a layer with what it lies on, by any of its keys", () => {
  using cache = new BuildCache(data);
  const lowest = add(cache, "lowest");
  const middle = add(cache, "middle", [lowest]);
  const top = add(cache, "top", [lowest, middle]);
  expect(cache.find(key("top"))).toEqual([lowest, middle, top]);
  cache.addKey(key("other"), top);
  expect(cache.find(key("other"))?.at(-1)).toEqual(top);
  expect(cache.find(key("unknown"))).toBeUndefined();
  // The same step, done anew.
  const again = add(cache, "middle", [lowest]);
  expect(cache.find(key("middle"))).toEqual([lowest, again]);
  expect(cache.find(key("top"))).toEqual([lowest, middle, top]);
});

test("does not believe what an earlier boot may not have brought to the disk, nor what lies on it", () => {
  {
    using cache = new BuildCache(data);
    const safe = add(cache, "safe");
    cache.synchronize();
    const doubtful = add(cache, "doubtful", [safe]);
    add(cache, "on it", [safe, doubtful]);
    cache.state.run("UPDATE build_layer SET boot = 'another' WHERE id = ?", doubtful.id);
  }
  using cache = new BuildCache(data);
  expect(cache.find(key("safe"))).toHaveLength(1);
  expect(cache.find(key("doubtful"))).toBeUndefined();
  expect(cache.find(key("on it"))).toBeUndefined();
  expect(readdirSync(`${data}/build/layers`)).toHaveLength(1);
});

test("takes out what nothing lies on and nobody uses, what was used last at the end", () => {
  {
    using cache = new BuildCache(data);
    const below = add(cache, "below");
    add(cache, "above", [below]);
    add(cache, "apart");
    cache.state.run("UPDATE build_layer SET used = 1 WHERE description = 'below'");
    cache.state.run("UPDATE build_layer SET used = 2 WHERE description = 'above'");
    // Its own layers are in use.
    expect(pruneCache(cache, data, everything).ids).toEqual([]);
  }
  using cache = new BuildCache(data);
  const descriptions = () => listCache(data).map(({ description }) => description);
  expect(descriptions()).toEqual(["apart", "above", "below"]);
  expect(pruneCache(cache, data, { ...everything, until: 1 }).ids).toEqual([]);
  const space = { ...WITHOUT_LIMITS, reserved: 10 };
  expect(pruneCache(cache, data, { ...everything, space }).reclaimed).toBe(5);
  expect(descriptions()).toEqual(["apart", "below"]);
  expect(pruneCache(cache, data, { ...everything, types: ["exec.cachemount"] }).ids).toEqual([]);
  expect(pruneCache(cache, data, everything)).toMatchObject({ reclaimed: 10 });
  expect(readdirSync(`${data}/build/layers`)).toEqual([]);
  expect(cache.find(key("apart"))).toBeUndefined();
});

test("takes out by itself what is beyond its size, and what images have does not count", () => {
  {
    using cache = new BuildCache(data);
    const old = add(cache, "older");
    add(cache, "newer");
    const shared = add(cache, "image");
    mkdirSync(`${data}/layers`);
    cache.share(shared, `${data}/layers`, "sha256-0");
    cache.state.run("UPDATE build_layer SET used = 1 WHERE id IN (?, ?)", old.id, shared.id);
  }
  using cache = new BuildCache(data);
  const left = (size: string) => {
    const before = process.env["BUNKER_BUILD_CACHE_SIZE"];
    process.env["BUNKER_BUILD_CACHE_SIZE"] = size;
    try {
      collectCache(cache, data);
    } finally {
      if (before === undefined) delete process.env["BUNKER_BUILD_CACHE_SIZE"];
      else process.env["BUNKER_BUILD_CACHE_SIZE"] = before;
    }
    return listCache(data)
      .map(({ description }) => description)
      .sort();
  };
  expect(left("unlimited")).toEqual(["image", "newer", "older"]);
  expect(left("10b")).toEqual(["image", "newer", "older"]);
  expect(left("9b")).toEqual(["image", "newer"]);
  expect(() => left("much")).toThrow("expected a size such as 20g");
});

test("leaves images what several builds have shared at the same time under different names", async () => {
  const names = Array.from({ length: 300 }, (_, index) => `layer-${index}`);
  {
    using cache = new BuildCache(data);
    for (const name of names) add(cache, name);
  }
  mkdirSync(`${data}/layers`);
  const script = `
    import { existsSync } from "node:fs";
    import { BuildCache } from ${JSON.stringify(join(import.meta.dir, "../../../../src/build/cache/build-cache.ts"))};
    import { digestOf } from ${JSON.stringify(join(import.meta.dir, "../../../../src/image/digest.ts"))};
    const [data, own, names] = [process.env.DATA, process.env.OWN, JSON.parse(process.env.NAMES)];
    using cache = new BuildCache(data);
    const layers = names.map((name) => cache.find(digestOf(Buffer.from(name))).at(-1));
    console.log("ready");
    for await (const _ of Bun.stdin.stream()) break;
    for (const [place, layer] of layers.entries()) cache.share(layer, data + "/layers", own + "-" + place);
  `;
  const builds = ["one", "other"].map((own) =>
    Bun.spawn([process.execPath, "-e", script], {
      env: { ...process.env, DATA: data, OWN: own, NAMES: JSON.stringify(names) },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    }),
  );
  try {
    for (const { stdout } of builds) for await (const _ of stdout) break;
    for (const { stdin } of builds) {
      stdin.write("go");
      stdin.flush();
    }
    expect(await Promise.all(builds.map(({ exited }) => exited))).toEqual([0, 0]);
  } finally {
    for (const build of builds) build.kill("SIGKILL");
  }
  using cache = new BuildCache(data);
  pruneCache(cache, data, everything);
  expect(readdirSync(`${data}/build/layers`)).toEqual([]);
  const left = readdirSync(`${data}/layers`);
  expect(left).toHaveLength(names.length);
  expect(left.filter((name) => !existsSync(`${data}/layers/${name}/diff/file`))).toEqual([]);
});

test("computes what may stay", () => {
  const keep = (used: number, limits: object, free = 0) =>
    bytesToKeep(used, { ...WITHOUT_LIMITS, ...limits }, { free });
  expect(keep(100, {})).toBe(0);
  expect(keep(100, { reserved: 30 })).toBe(30);
  expect(keep(100, { maximum: 60 })).toBe(60);
  // As much goes as is missing, but not what is reserved.
  expect(keep(100, { free: 50 }, 20)).toBe(70);
  expect(keep(100, { free: 50 }, 60)).toBe(100);
  expect(keep(100, { free: 200, reserved: 30 }, 20)).toBe(30);
  expect(keep(100, { free: 50, maximum: 90, reserved: 30 }, 20)).toBe(60);
  const [small, large] = [usualLimits({ size: 1e9 }, {}), usualLimits({ size: 1e13 }, {})];
  expect([small?.maximum, small?.reserved, small?.free]).toEqual([7.5e8, 1e8, 2e8]);
  expect([large?.maximum, large?.reserved]).toEqual([1e11, 1e10]);
});

test("gives cache mounts to one or to many, as they are asked for", async () => {
  using cache = new BuildCache(data);
  const take = (sharing: "shared" | "private" | "locked", end = signal) =>
    takeCacheMount(cache, { id: "id", sharing, make: async () => {}, signal: end });
  const one = await take("shared");
  const other = await take("shared");
  expect(other.path).toBe(one.path);
  // Both are in use.
  const own = await take("private");
  expect(own.path).not.toBe(one.path);
  const abort = new AbortController();
  const waiting = take("locked", abort.signal);
  abort.abort(new Error("enough"));
  expect(waiting).rejects.toThrow("enough");
  await waiting.catch(() => undefined);
  expect(pruneCache(cache, data, everything).ids).toEqual([]);
  for (const each of [one, other, own]) each[Symbol.dispose]();
  using alone = await take("locked");
  expect(alone.path).toBe(one.path);
  expect(existsSync(own.path)).toBe(true);
});

test("lets one at a time execute a step", async () => {
  using cache = new BuildCache(data);
  const order: string[] = [];
  const first = await lockKey(cache.directory, key("step"), signal, () => order.push("first waits"));
  const second = lockKey(cache.directory, key("step"), signal, () => {
    order.push("second waits");
    first[Symbol.dispose]();
  });
  (await second)[Symbol.dispose]();
  expect(order).toEqual(["second waits"]);
  expect(readdirSync(`${cache.directory}/locks`)).toEqual([]);
});
