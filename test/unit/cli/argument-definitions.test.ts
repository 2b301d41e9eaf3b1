import { expect, test } from "bun:test";
import { argumentDefinitions } from "../../../src/cli/argument-definitions.ts";
import { flag, list, single } from "../../../src/cli/option.ts";

test("citty's definitions follow from the option table", () => {
  const definitions = argumentDefinitions({
    options: {
      volumes: list({ name: "volume", short: "v", valueName: "A:B", description: "Mount", parse: String }),
      network: single({
        name: "network",
        aliases: ["net"],
        valueName: "none|host",
        description: "Network",
        parse: String,
        initial: "none",
        initialText: "none",
      }),
      pull: flag({ name: "pull", description: "Pull", initial: true }),
    },
    required: ["IMAGE"],
    optional: "[NAME[:TAG]] [ARG...]",
  });
  expect(Object.entries(definitions)).toEqual([
    ["IMAGE", { type: "positional", required: true }],
    ["NAME[:TAG]", { type: "positional", required: false }],
    ["ARG...", { type: "positional", required: false }],
    ["network", { type: "string", alias: [], valueHint: "none|host", description: "Network", default: "none" }],
    ["pull", { type: "boolean", alias: [], description: "Pull (Default: true)" }],
    ["volume", { type: "string", alias: ["v"], valueHint: "A:B", description: "Mount (repeatable)" }],
    ["help", { type: "boolean", alias: ["h"], description: "Show this help" }],
  ]);
});

test("-h is not help's where an option has it", () => {
  const hostname = single({ name: "hostname", short: "h", valueName: "NAME", description: "", parse: String });
  expect(argumentDefinitions({ options: { hostname }, required: [] })).toMatchObject({ help: { alias: [] } });
});
