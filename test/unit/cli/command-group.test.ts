import { afterEach, beforeEach, describe, expect, type Mock, spyOn, test } from "bun:test";
import { renderUsage } from "citty";
import { defineCommand } from "../../../src/cli/command.ts";
import { defineCommandGroup } from "../../../src/cli/command-group.ts";
import type { DescribedCommand } from "../../../src/cli/described-command.ts";
import { flag, list, single } from "../../../src/cli/option.ts";
import { BunkerError } from "../../../src/sys/error.ts";

let calls: unknown[];
let print: Mock<typeof console.log>;
beforeEach(() => {
  calls = [];
  print = spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => print.mockRestore());

const printed = () => print.mock.calls.map(([text]) => String(text)).join("\n");

const create = defineCommand(
  {
    options: { bundle: single({ name: "bundle", valueName: "DIRECTORY", description: "The bundle", parse: String }) },
    required: ["CONTAINER"],
  },
  ({ options, operands }, globals: { readonly root: string | undefined }) => {
    calls.push({ bundle: options.bundle, container: operands[0], root: globals.root });
    return 7;
  },
);

const inner = defineCommandGroup({
  options: {
    root: single({ name: "root", valueName: "DIRECTORY", description: "Where the state is", parse: String }),
    debug: flag({ name: "debug", description: "Say more" }),
    version: flag({ name: "version", short: "v", description: "Show the version" }),
    log: list({ name: "log", short: "l", valueName: "FILE", description: "Write a log", parse: String }),
  },
  commands: [
    { name: "create", summary: "Create a container", load: async () => create },
    {
      name: "broken",
      summary: "Never loaded unless called",
      load: () => {
        throw new Error("loaded");
      },
    },
  ],
  instead: async ({ version }) => {
    if (!version) return undefined;
    calls.push("version");
    return 3;
  },
  around: async ({ debug }, proceed) => {
    if (debug) calls.push("before");
    const status = await proceed();
    if (debug) calls.push("after");
    return status;
  },
});

const outer = defineCommandGroup({
  options: {},
  commands: [
    { name: "runtime", summary: "Low-level commands", load: async () => inner },
    {
      name: "internal",
      summary: "Not for people",
      hidden: true,
      load: async () => defineCommand({ options: {}, required: [] }, () => 5),
    },
  ],
});

const call = (...rawArgs: string[]) =>
  outer.run({ rawArgs, data: { name: "bunker", summary: "An engine", globals: undefined } });

describe("a group of commands", () => {
  test("gives its options to the command and the words behind the name as well", async () => {
    expect(await call("runtime", "--root", "/run", "create", "--bundle=/b", "box")).toBe(7);
    expect(calls).toEqual([{ bundle: "/b", container: "box", root: "/run" }]);
  });

  test("does not take its options behind the command's name", async () => {
    await expect(call("runtime", "create", "--root=/run", "box")).rejects.toThrow("unknown option --root");
  });

  test("lets its options act instead of a command", async () => {
    expect(await call("runtime", "-v", "broken")).toBe(3);
    expect(calls).toEqual(["version"]);
  });

  test("wraps what it calls", async () => {
    await call("runtime", "--debug", "create", "box");
    expect(calls).toEqual(["before", { bundle: undefined, container: "box", root: undefined }, "after"]);
  });

  test.each([["runtime"], ["runtime --help"], ["help runtime"], ["runtime help"]])(
    "%s shows the group",
    async (words) => {
      expect(await call(...words.split(" "))).toBe(0);
      expect(printed()).toBe(`Low-level commands (bunker runtime)

USAGE bunker runtime [OPTIONS] create|broken

OPTIONS

             --debug    Say more
    -l, --log=<FILE>    Write a log (repeatable)
  --root=<DIRECTORY>    Where the state is
       -v, --version    Show the version
          -h, --help    Show this help

COMMANDS

  create    Create a container
  broken    Never loaded unless called

Use bunker runtime <command> --help for more information about a command.`);
      expect(calls).toEqual([]);
    },
  );

  test.each([["runtime create --help"], ["help runtime create"], ["runtime help create"], ["runtime create -h x y"]])(
    "%s shows the command",
    async (words) => {
      expect(await call(...words.split(" "))).toBe(0);
      expect(printed()).toBe(`Create a container (bunker runtime create)

USAGE bunker runtime create [OPTIONS] <CONTAINER>

ARGUMENTS

  CONTAINER    (Required)

OPTIONS

  --bundle=<DIRECTORY>    The bundle
            -h, --help    Show this help`);
      expect(calls).toEqual([]);
    },
  );

  test("is a tree of citty's that tells what it has without loading it", async () => {
    const tree: DescribedCommand = outer;
    const usage = Bun.stripANSI(await renderUsage({ ...tree, meta: { name: "bunker", description: "An engine" } }));
    expect(usage).toContain("USAGE bunker [OPTIONS] runtime\n");
    expect(usage).toContain("\n  runtime    Low-level commands\n");
  });

  test("calls a hidden command, which neither help nor errors mention", async () => {
    expect(await call("internal")).toBe(5);
    await call();
    expect(printed()).toContain("runtime");
    expect(printed()).not.toContain("internal");
    await expect(call("interna")).rejects.toThrow('unknown command "interna"; bunker --help lists the commands');
  });

  test.each(["toString", "__proto__", "constructor", ""])("%j is no command", async (name) => {
    await expect(call(name)).rejects.toMatchObject({ code: "unknown_command" });
  });

  test.each([
    ["runtim", "unknown_command", 'unknown command "runtim"; did you mean bunker runtime?'],
    ["x", "unknown_command", 'unknown command "x"; bunker --help lists the commands'],
    ["runtime crate", "unknown_command", 'unknown command "crate"; did you mean bunker runtime create?'],
    ["help runtime crate", "unknown_command", 'unknown command "crate"; did you mean bunker runtime create?'],
    ["runtime --rot=/x create", "unknown_option", "unknown option --rot; did you mean --root?"],
    [
      "runtime create",
      "missing_operand",
      "bunker runtime create needs CONTAINER; bunker runtime create --help shows how it is used",
    ],
  ])("%s is refused", async (words, code, message) => {
    const error = await call(...words.split(" ")).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(BunkerError);
    expect(error).toMatchObject({ code, message, exitStatus: 125 });
  });
});
