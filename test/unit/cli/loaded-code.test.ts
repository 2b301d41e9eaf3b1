/*
 * What commands load before they have done anything. Loading code, even compiled code that is never called, is a sixth
 * of what `run` takes; who adds to these commands sees here by how much, and can load at the place what few need.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { bundleSettings } from "../../../scripts/bundle/bundle.ts";
import { PROGRAMS } from "../../../scripts/bundle/programs.ts";

const root = join(import.meta.dir, "../../..");

let outputs: Bun.BuildMetafile["outputs"];
let inputs: Bun.BuildMetafile["inputs"];

beforeAll(async () => {
  // As scripts/build.ts does it, up to the bytecode.
  const { metafile } = await Bun.build({ ...(await bundleSettings(root)), metafile: true });
  if (metafile === undefined) throw new Error("the bundler has not said what is where");
  ({ outputs, inputs } = metafile);
  // Bundling everything takes seconds where others are at work.
}, 60_000);

/** The chunks that are loaded with those that the modules are in. */
function chunksOf(modules: readonly string[]): string[] {
  const found = new Set<string>();
  const add = (chunk: string) => {
    if (found.has(chunk)) return;
    found.add(chunk);
    for (const { path, kind } of outputs[chunk]?.imports ?? []) {
      const imported = kind === "import-statement" ? chunkAt(path) : undefined;
      if (imported !== undefined) add(imported);
    }
  };
  for (const module of modules) {
    // What is imported dynamically has an entry of its own, which may be loaded with more.
    const [chunk] = [`${module}.entry`, module].flatMap((path) => {
      return Object.keys(outputs).find((name) => modulesOf(name).includes(path)) ?? [];
    });
    if (chunk === undefined) throw new Error(`no chunk has ${module}`);
    add(chunk);
  }
  return [...found];
}

function modulesOfProgram(name: (typeof PROGRAMS)[number]["name"]): readonly string[] {
  return ["src/main.ts", ...PROGRAMS.filter((program) => program.name === name).flatMap(({ modules }) => modules)];
}

function chunkAt(path: string): string | undefined {
  return Object.keys(outputs).find((name) => name.endsWith(path.replace(/^\.+\//, "")));
}

function modulesOf(chunk: string): string[] {
  return Object.keys(outputs[chunk]?.inputs ?? {}).map(fromRoot);
}

function fromRoot(path: string): string {
  return path.replace(/^.*?(?=src\/|node_modules\/)/, "");
}

const FILE_SYSTEM = /^(?:node:)?fs(?:\/promises)?$/;
/** Of Node's own those that take long to load. */
const SLOW_MODULES = /^(?:node:)?(?:fs(?:\/promises)?|path|os)$/;

/** The modules that bring in others of some name, `node:fs` unless given, among those that are loaded with some. */
function usersOf(modules: readonly string[], wanted = FILE_SYSTEM): string[] {
  const loaded = new Set(chunksOf(modules).flatMap(modulesOf));
  return Object.entries(inputs)
    .filter(([, { imports }]) => imports.some(({ path }) => wanted.test(path)))
    .map(([path]) => fromRoot(path))
    .filter((path) => loaded.has(path));
}

describe("what is loaded for", () => {
  test.each([
    ["run", 394_500],
    ["exec", 197_900],
    ["version", 21_400],
    ["ps", 53_200],
    ["build", 352_800],
    ["a build as root", 344_900],
    ["a supervisor", 45_000],
    ["slirp4netns", 95_000],
  ] as const)("%s stays within its bytes", (name, limit) => {
    const modules = modulesOfProgram(name);
    const bytes = chunksOf(modules).reduce((sum, chunk) => sum + (outputs[chunk]?.bytes ?? 0), 0);
    expect(bytes).toBeGreaterThan(limit / 2);
    expect(bytes).toBeLessThan(limit);
  });

  test.each([
    "ps",
    "a supervisor",
    "a supervisor with orphans, a journal and a cgroup's memory",
    "a supervisor with networks",
    "slirp4netns",
    "slirp4netns with an API and limited system calls",
  ] as const)("%s is not node:fs, which takes 2 ms and half a megabyte", (name) => {
    const modules = modulesOfProgram(name);
    expect(usersOf(modules)).toEqual([]);
  });

  test.each(["run of a stored image", "run of an image in a directory"] as const)(
    "%s is no module of Node's that takes long to load",
    (name) => {
      expect(usersOf(modulesOfProgram(name), SLOW_MODULES)).toEqual([]);
    },
  );

  test("node:fs would be found", () => {
    expect(usersOf(["src/image/store/collect-garbage.ts"])).not.toEqual([]);
  });

  test("run has nothing of registries, builds, places that its image is not in, or a profile that is compiled already", () => {
    const loaded = chunksOf(modulesOfProgram("run")).flatMap(modulesOf);
    const unneeded =
      /^src\/(image\/(registry|store\/image-store|tar|layers\/layer-unpacker)|build|engine\/specification\/resolve-seccomp|network\/tcp|runtime\/seccomp\/compile)/;
    expect(loaded).toContain("src/engine/run.ts");
    expect(loaded.filter((path) => unneeded.test(path))).toEqual([]);
  });

  test("build has nothing of what only steps that are not cached, other contexts and other outputs need", () => {
    const loaded = chunksOf(modulesOfProgram("build")).flatMap(modulesOf);
    const unneeded =
      /^src\/(image\/(registry\/(http|credentials|registr(ies|y-\w+er|y-client)\b)|tar\/tar-reader|xz\/|bunzip2|layers\/layer-(unpacker|writer))|runtime\/seccomp|build\/(run\/execute|remote-cache\/(remote-caches|export-cache|open-cache)|context\/(check-out|download\.)|secrets\/(private-key|key-agent)|files\/\w+-files-here))/;
    expect(loaded).toContain("src/build/build.ts");
    expect(loaded.filter((path) => unneeded.test(path))).toEqual([]);
  });
});
