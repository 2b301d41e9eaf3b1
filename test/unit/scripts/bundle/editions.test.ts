import { describe, expect, test } from "bun:test";
import { commonGroups, isOutside, makeEditions } from "../../../../scripts/bundle/editions.ts";
import type { ModuleGraph } from "../../../../scripts/bundle/module-graph.ts";

const MODULES: Readonly<Record<string, readonly [imports: readonly string[], dynamicImports: readonly string[]]>> = {
  "src/main.ts": [["words"], ["src/cli/bunker.ts", "src/cli/internal.ts", "src/cli/report-error.ts"]],
  "src/cli/bunker.ts": [["group"], ["run", "list"]],
  "src/cli/internal.ts": [[], ["supervise", "remove"]],
  "src/cli/report-error.ts": [["errors"], []],
  words: [[], []],
  group: [["errors"], ["help"]],
  help: [["layout"], []],
  layout: [[], []],
  run: [["errors"], ["rare", "rarer"]],
  rare: [["errors", "both"], []],
  rarer: [["both"], []],
  both: [[], []],
  list: [["layout"], []],
  supervise: [["errors"], []],
  remove: [["errors"], []],
  errors: [[], []],
};
const GRAPH: ModuleGraph = new Map(
  Object.entries(MODULES).map(([name, [imports, dynamicImports]]) => {
    return [name, { size: 1000, imports, dynamicImports, meant: new Map(), exported: [] }];
  }),
);
const COMMON = { weight: 10, isSpare: false };
const PROGRAMS = [
  { name: "run", modules: ["src/main.ts", "src/cli/bunker.ts", "run"], ...COMMON, edition: "bunker run" },
  { name: "list", modules: ["src/main.ts", "src/cli/bunker.ts", "list"], ...COMMON },
  {
    name: "supervise",
    modules: ["src/main.ts", "src/cli/internal.ts", "supervise"],
    weight: 10,
    isSpare: true,
    edition: "internal supervise",
  },
];

describe("a command's edition", () => {
  const editions = makeEditions(GRAPH, PROGRAMS);
  const [run, supervise] = editions;

  test("has a tag without blanks", () => {
    expect(editions.map(({ tag }) => tag)).toEqual(["bunker-run", "internal-supervise"]);
  });

  test("has all that the command can reach, and nothing of other commands", () => {
    const chosen = ["src/main.ts", "src/cli/bunker.ts", "src/cli/report-error.ts", "run"];
    const reached = ["words", "group", "help", "layout", "rare", "rarer", "both", "errors"];
    expect([...(run?.modules ?? [])].sort()).toEqual([...chosen, ...reached].sort());
  });

  test("has what is always loaded in one chunk, and nothing else in it", () => {
    const always = ["src/main.ts", "src/cli/bunker.ts", "run", "words", "group", "errors"];
    for (const module of always) expect([...(run?.groups.get(module) ?? [])].sort()).toEqual([...always].sort());
  });

  test("leaves out what is chosen for other commands only", () => {
    const importer = "src/cli/bunker.ts";
    expect(isOutside({ importer, imported: "list", edition: run }, editions)).toBe(true);
    expect(isOutside({ importer, imported: "run", edition: run }, editions)).toBe(false);
    expect(isOutside({ importer: "src/main.ts", imported: "src/cli/internal.ts", edition: run }, editions)).toBe(true);
    expect(isOutside({ importer: "group", imported: "help", edition: run }, editions)).toBe(false);
    expect(isOutside({ importer: "src/cli/internal.ts", imported: "supervise", edition: supervise }, editions)).toBe(
      false,
    );
  });
});

describe("outside of all editions", () => {
  const editions = makeEditions(GRAPH, PROGRAMS);

  test("is everything that can be called by another name", () => {
    const importer = "src/cli/bunker.ts";
    expect(isOutside({ importer, imported: "run", edition: undefined }, editions)).toBe(false);
    expect(commonGroups(GRAPH, PROGRAMS, editions).has("run")).toBe(true);
  });

  test("is also what is rarely loaded, in groups as well", () => {
    const groups = commonGroups(GRAPH, PROGRAMS, editions);
    expect(groups.get("rare")).toContain("rarer");
  });

  test("is nothing that has one name only", () => {
    const importer = "src/cli/internal.ts";
    expect(isOutside({ importer, imported: "supervise", edition: undefined }, editions)).toBe(true);
    expect(isOutside({ importer, imported: "remove", edition: undefined }, editions)).toBe(false);
    const groups = commonGroups(GRAPH, PROGRAMS, editions);
    expect([groups.has("supervise"), groups.has("remove")]).toEqual([false, true]);
  });
});
