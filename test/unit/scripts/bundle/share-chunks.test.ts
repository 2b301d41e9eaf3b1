import { describe, expect, test } from "bun:test";
import { loadedWith, type ModuleGraph } from "../../../../scripts/bundle/module-graph.ts";
import { shareChunks } from "../../../../scripts/bundle/share-chunks.ts";

/** A graph of modules by their sizes and what they import. */
function graphOf(
  modules: Readonly<Record<string, readonly [size: number, ...imports: readonly string[]]>>,
): ModuleGraph {
  return new Map(
    Object.entries(modules).map(([name, [size, ...imports]]) => {
      return [name, { size, imports, dynamicImports: [], meant: new Map() }];
    }),
  );
}

function program(name: string, modules: readonly string[], { weight = 1, isSpare = false } = {}) {
  return { name, modules, weight, isSpare };
}

/** The groups that come out, each sorted. */
function groupsOf(graph: ModuleGraph, programs: Parameters<typeof shareChunks>[1]): readonly (readonly string[])[] {
  const groups = [...new Set(shareChunks(graph, programs).values())];
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

  test("only if no program loads any", () => {
    expect(shareChunks(GRAPH, [program("one", ["base"])]).get("small")).toBeUndefined();
  });

  test("and all that the chunk imports is counted as well", () => {
    const graph = graphOf({ first: [10, "heavy"], second: [10], heavy: [1_000_000, "deep"], deep: [10] });
    const programs = [program("one", ["first", "second"], { weight: 10 }), program("two", ["second"])];
    expect(groupsOf(graph, programs)).toEqual([["deep", "first", "heavy"], ["second"]]);
  });
});

test("what is loaded comes after what it imports, with its companions and what they import", () => {
  const graph = graphOf({ a: [1, "c"], b: [1, "a"], c: [1], d: [1, "e"], e: [1], f: [1] });
  expect(loadedWith(graph, ["b"])).toEqual(["c", "a", "b"]);
  expect(loadedWith(graph, ["b"], (module) => (module === "c" ? ["d"] : []))).toEqual(["c", "a", "b", "e", "d"]);
});
