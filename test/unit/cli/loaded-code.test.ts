/*
 * What commands load before they have done anything. Loading code, even compiled code that is never called, is a sixth
 * of what `run` takes; who adds to these commands sees here by how much, and can load at the place what few need.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { bundleSettings } from "../../../scripts/bundle/bundle.ts";
import { editionTag } from "../../../scripts/bundle/editions.ts";
import { PROGRAMS, type Program } from "../../../scripts/bundle/programs.ts";

const root = join(import.meta.dir, "../../..");

/** What the executable begins with. */
const FIRST = "src/main.ts.choice";

let outputs: Bun.BuildMetafile["outputs"];
let inputs: Bun.BuildMetafile["inputs"];

beforeAll(async () => {
  // As scripts/build.ts does it, up to the bytecode.
  const { metafile } = await Bun.build({ ...(await bundleSettings(root)), metafile: true });
  if (metafile === undefined) throw new Error("the bundler has not said what is where");
  ({ outputs, inputs } = metafile);
  // Bundling everything takes seconds where others are at work.
}, 120_000);

/** The chunks that are loaded with those that the modules are in, in a command's edition of the code or outside of all. */
function chunksOf(modules: readonly string[], edition?: string): string[] {
  const found = new Set<string>();
  const tag = edition === undefined ? "" : `.${editionTag(edition)}`;
  const paths = modules.map((module): readonly string[] => {
    // What is imported dynamically has an entry of its own, which may be loaded with more.
    return [`${module}${tag}.entry`, `${module}${tag}`];
  });
  for (const path of [[FIRST], ...paths]) {
    const [chunk] = path.flatMap((name) => Object.keys(outputs).find((chunk) => modulesOf(chunk).includes(name)) ?? []);
    if (chunk === undefined) throw new Error(`no chunk has ${path.at(-1)}`);
    addChunk(found, chunk, ["import-statement"]);
  }
  return [...found];
}

/** Adds a chunk and all those that it imports, in some of the ways. */
function addChunk(found: Set<string>, chunk: string, kinds: readonly string[]): void {
  if (found.has(chunk)) return;
  found.add(chunk);
  for (const { path, kind } of outputs[chunk]?.imports ?? []) {
    const imported = kinds.includes(kind) ? chunkAt(path) : undefined;
    if (imported !== undefined) addChunk(found, imported, kinds);
  }
}

type ProgramName = (typeof PROGRAMS)[number]["name"];

/** The chunks that are loaded for a program. */
function chunksOfProgram(name: ProgramName): string[] {
  const program: Program | undefined = PROGRAMS.find((other) => other.name === name);
  return chunksOf(program?.modules ?? [], program?.edition);
}

/** The modules, without their editions, that are loaded for a program. */
function modulesOfProgram(name: ProgramName): string[] {
  return chunksOfProgram(name).flatMap(modulesOf).map(withoutEdition);
}

function withoutEdition(module: string): string {
  return module.replace(/(?<=\.(?:ts|js|mjs|cjs))\.\w+-\w+/, "");
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

/** The modules that bring in others of some name, `node:fs` unless given, among those in some chunks. */
function usersOf(chunks: readonly string[], wanted = FILE_SYSTEM): string[] {
  const loaded = new Set(chunks.flatMap(modulesOf));
  return Object.entries(inputs)
    .filter(([, { imports }]) => imports.some(({ path }) => wanted.test(path)))
    .map(([path]) => fromRoot(path))
    .filter((path) => loaded.has(path));
}

describe("what is loaded for", () => {
  test.each([
    ["run", 383_000],
    ["exec", 125_500],
    ["version", 22_600],
    ["ps", 51_600],
    ["build", 365_500],
    ["work as root", 117_700],
    ["a build as root", 358_000],
    ["a supervisor", 44_300],
    ["slirp4netns", 86_400],
  ] as const)("%s stays within its bytes", (name, limit) => {
    const bytes = chunksOfProgram(name).reduce((sum, chunk) => sum + (outputs[chunk]?.bytes ?? 0), 0);
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
    expect(usersOf(chunksOfProgram(name))).toEqual([]);
  });

  test("exec is not valibot, which checks what most containers need no check of", () => {
    expect(usersOf(chunksOfProgram("exec"), /valibot/)).toEqual([]);
    expect(usersOf(chunksOfProgram("run"), /valibot/)).not.toEqual([]);
  });

  test.each(["run of a stored image", "run of an image in a directory"] as const)(
    "%s is no module of Node's that takes long to load",
    (name) => {
      expect(usersOf(chunksOfProgram(name), SLOW_MODULES)).toEqual([]);
    },
  );

  test("pull is none of Node's modules that bring its streams with them, which take milliseconds to load", () => {
    const chunks = chunksOf(["src/cli/pull.ts", "src/engine/images/pull-for-user.ts", "src/cli/progress/pull-here.ts"]);
    expect(chunks.flatMap(modulesOf)).toContain("src/image/layers/decompress.ts");
    expect(usersOf(chunks, /^(?:node:)?(?:crypto|fs\/promises|net|stream(?:\/promises)?|tls|tty|zlib)$/)).toEqual([]);
  });

  test("node:fs would be found", () => {
    expect(usersOf(chunksOf(["src/image/store/collect-garbage.ts"]))).not.toEqual([]);
  });

  test("run has nothing of registries, builds, places that its image is not in, or a profile that is compiled already", () => {
    const loaded = modulesOfProgram("run");
    const unneeded =
      /^src\/(image\/(registry|store\/image-store|tar|layers\/layer-unpacker)|build|engine\/specification\/resolve-seccomp|network\/tcp|runtime\/seccomp\/compile)/;
    expect(loaded).toContain("src/engine/run.ts");
    expect(loaded.filter((path) => unneeded.test(path))).toEqual([]);
  });

  test("build has nothing of what only steps that are not cached, other contexts and other outputs need", () => {
    const loaded = modulesOfProgram("build");
    const unneeded =
      /^src\/(image\/(registry\/(http|credentials|registr(ies|y-\w+er|y-client)\b)|tar\/tar-reader|xz\/|bunzip2|layers\/layer-(unpacker|writer))|runtime\/seccomp|build\/(run\/execute|remote-cache\/(remote-caches|export-cache|open-cache)|context\/(check-out|download\.)|secrets\/(private-key|key-agent)|files\/\w+-files-here))/;
    expect(loaded).toContain("src/build/build.ts");
    expect(loaded.filter((path) => unneeded.test(path))).toEqual([]);
  });
});

const EDITIONS: readonly string[] = [
  ...new Set(PROGRAMS.flatMap((program: Program) => (program.edition === undefined ? [] : [program.edition]))),
];

describe("the edition for", () => {
  test.each(EDITIONS)("%s never loads a second copy of a module", (edition) => {
    const found = new Set<string>();
    const entry = `src/main.ts.${editionTag(edition)}.entry`;
    const [chunk] = Object.keys(outputs).filter((name) => modulesOf(name).includes(entry));
    if (chunk === undefined) throw new Error(`no chunk has ${entry}`);
    addChunk(found, chunk, ["import-statement", "dynamic-import"]);
    const modules = [...found].flatMap(modulesOf);
    expect(modules).toContain(`src/sys/error.ts.${editionTag(edition)}`);
    const others = modules.filter((path) => !path.replace(/\.entry$/, "").endsWith(`.${editionTag(edition)}`));
    expect(others.filter((path) => path !== "src/main.ts.outside")).toEqual([]);
  });
});
