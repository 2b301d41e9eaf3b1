import { describe, expect, test } from "bun:test";
import { loadedWith, type ModuleGraph } from "../../../../scripts/bundle/module-graph.ts";
import { shareChunks, shareEntries } from "../../../../scripts/bundle/share-chunks.ts";

/** A graph of modules by their sizes and what they import. */
function graphOf(
  modules: Readonly<Record<string, readonly [size: number, ...imports: readonly string[]]>>,
): ModuleGraph {
  return new Map(
    Object.entries(modules).map(([name, [size, ...imports]]) => {
      return [name, { size, imports, dynamicImports: [], meant: new Map(), exported: [] }];
    }),
  );
}

function program(name: string, modules: readonly string[], { weight = 1, isSpare = false } = {}) {
  return { name, modules, weight, isSpare };
}

/** The groups that come out, each sorted. */
function groupsOf(
  graph: ModuleGraph,
  programs: Parameters<typeof shareChunks>[1],
  starts = 1,
): readonly (readonly string[])[] {
  const groups = [...new Set(shareChunks(graph, programs, starts).values())];
  return groups.map((group) => [...group].sort()).sort(([first = ""], [second = ""]) => (first < second ? -1 : 1));
}

describe("modules share a chunk", () => {
  const GRAPH = graphOf({
    large: [50_000, "base"],
    other: [50_000, "base", "small"],
    base: [500],
    small: [100],
  });

  test("when the same programs load them", () => {
    expect(groupsOf(GRAPH, [program("one", ["other"])])).toEqual([["base", "other", "small"]]);
  });

  test("when those that need only one load less in vain than a chunk costs those that need both", () => {
    expect(
      groupsOf(GRAPH, [program("one", ["large"]), program("two", ["other"]), program("three", ["small"])]),
    ).toEqual([["base", "small"], ["large"], ["other"]]);
  });

  test("never when a program that must be spare would load one in vain", () => {
    const spare = program("one", ["large"], { isSpare: true });
    expect(groupsOf(GRAPH, [spare, program("two", ["other"], { weight: 1000 })])).toEqual([
      ["base"],
      ["large"],
      ["other", "small"],
    ]);
  });

  test("when a program matters so much that others load more in vain", () => {
    const programs = [program("one", ["large", "other"], { weight: 100 }), program("two", ["other"])];
    expect(groupsOf(GRAPH, programs)).toEqual([["base", "large", "other", "small"]]);
  });

  test("when the executable is started so often that a chunk less counts more than what is loaded in vain", () => {
    const programs = [program("one", ["large"]), program("two", ["other"])];
    expect(groupsOf(GRAPH, programs, 100_000)).toEqual([["base", "large", "other", "small"]]);
  });

  test("but not for one chunk less when there is one more for an entry", () => {
    const graph = graphOf({ first: [1e9, "base"], second: [1e9, "base"], base: [10], last: [10] });
    const programs = ["first", "second", "last"].map((name) => program(name, [name]));
    expect(groupsOf(graph, programs, 1000)).toEqual([["base", "last"], ["first"], ["second"]]);
    const importer = { size: 1, imports: [], dynamicImports: ["last"], meant: new Map(), exported: [] };
    const withEntry: ModuleGraph = new Map([...graph, ["importer", importer]]);
    expect(groupsOf(withEntry, programs, 1000)).toEqual([["base"], ["first"], ["last"], ["second"]]);
  });

  test("never, however many there are, when one must be spare", () => {
    const spare = program("one", ["large"], { isSpare: true });
    expect(groupsOf(GRAPH, [spare, program("two", ["other"])], 100_000)).toEqual([
      ["base", "large"],
      ["other", "small"],
    ]);
  });

  test("only if no program loads any", () => {
    expect(shareChunks(GRAPH, [program("one", ["base"])], 1).get("small")).toBeUndefined();
  });

  test("and all that the chunk imports is counted as well", () => {
    const graph = graphOf({ first: [10, "heavy"], second: [10], heavy: [1_000_000, "deep"], deep: [10] });
    const programs = [program("one", ["first", "second"], { weight: 10 }), program("two", ["second"])];
    expect(groupsOf(graph, programs)).toEqual([["deep", "first", "heavy"], ["second"]]);
  });
});

describe("modules that are imported dynamically share an entry", () => {
  /** Each module exports some names; all but the first are imported dynamically. */
  function entriesOf(names: Readonly<Record<string, readonly string[]>>, groups: readonly (readonly string[])[]) {
    const dynamicImports = Object.keys(names);
    const graph: ModuleGraph = new Map(
      ["first", ...dynamicImports].map((name) => {
        return [name, { size: 1, imports: [], dynamicImports, meant: new Map(), exported: names[name] ?? [] }];
      }),
    );
    const groupOf = new Map(groups.flatMap((group) => group.map((module) => [module, group] as const)));
    return Object.fromEntries(shareEntries(graph, groupOf));
  }

  test("when they are in one group", () => {
    const entries = entriesOf({ a: ["run"], b: ["stop"], c: ["go"] }, [["a", "b", "first"], ["c"]]);
    expect(entries).toEqual({ a: ["a", "b"], b: ["a", "b"], c: ["c"] });
  });

  test("unless they export the same name", () => {
    const entries = entriesOf({ a: ["run", "help"], b: ["help"], c: ["stop"] }, [["a", "b", "c"]]);
    expect(entries).toEqual({ a: ["a", "c"], b: ["b"], c: ["a", "c"] });
  });

  test("but no package, which may have a default export", () => {
    expect(
      entriesOf({ "node_modules/a/index.js": ["default"], b: ["run"] }, [["node_modules/a/index.js", "b"]]),
    ).toEqual({
      b: ["b"],
    });
  });
});

test("what is loaded comes after what it imports, with its companions and what they import", () => {
  const graph = graphOf({ a: [1, "c"], b: [1, "a"], c: [1], d: [1, "e"], e: [1], f: [1] });
  expect(loadedWith(graph, ["b"])).toEqual(["c", "a", "b"]);
  expect(loadedWith(graph, ["b"], (module) => (module === "c" ? ["d"] : []))).toEqual(["c", "a", "b", "e", "d"]);
});
