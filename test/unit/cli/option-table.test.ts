import { describe, expect, test } from "bun:test";
import { InvalidValue } from "../../../src/cli/invalid-value.ts";
import { flag, list, single } from "../../../src/cli/option.ts";
import { type AnyCommandSyntax, parseArguments } from "../../../src/cli/option-table.ts";
import { BunkerError } from "../../../src/sys/error.ts";

const options = {
  interactive: flag({ name: "interactive", short: "i", description: "" }),
  terminal: flag({ name: "tty", short: "t", description: "" }),
  remove: flag({ name: "rm", description: "" }),
  pull: flag({ name: "pull", description: "", initial: true }),
  network: single({ name: "network", aliases: ["net"], valueName: "NETWORK", description: "", parse: String }),
  hostname: single({ name: "hostname", short: "h", valueName: "NAME", description: "", parse: String }),
  size: single({
    name: "size",
    short: "s",
    valueName: "NUMBER",
    description: "",
    initial: 64,
    parse: (text) => {
      if (!/^\d+$/.test(text)) throw new InvalidValue("expected a number");
      return Number(text);
    },
  }),
  environment: list({ name: "env", short: "e", valueName: "NAME", description: "", parse: String }),
  volumes: list({ name: "volume", short: "v", valueName: "VOLUME", description: "", parse: String }),
};

const initial = {
  interactive: false,
  terminal: false,
  remove: false,
  pull: true,
  network: undefined,
  hostname: undefined,
  size: 64,
  environment: [],
  volumes: [],
};

const stopping = { options, required: ["IMAGE"], optional: "[ARG...]", stopAtFirstOperand: true } as const;
const mixed = { options, required: [], optional: "[NAME...]" } as const;

function parse(words: readonly string[], syntax: AnyCommandSyntax = mixed) {
  const given = parseArguments("bunker test", syntax, words);
  return given === "help" ? given : { options: given.options, operands: [...given.operands] };
}

function errorOf(action: () => unknown): BunkerError {
  try {
    action();
  } catch (error) {
    if (error instanceof BunkerError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("parseArguments", () => {
  test.each<[words: string[], differences: Partial<Record<keyof typeof options, unknown>>]>([
    [[], {}],
    [["--network", "none"], { network: "none" }],
    [["--network=none"], { network: "none" }],
    [["--net", "none"], { network: "none" }],
    [["--network="], { network: "" }],
    [["--network", ""], { network: "" }],
    [["--network=a=b"], { network: "a=b" }],
    [["--network", "--rm"], { network: "--rm" }],
    [["--network", "--"], { network: "--" }],
    [["--network", "one", "--net", "two"], { network: "two" }],
    [["-e", "A=1"], { environment: ["A=1"] }],
    [["-eA=1"], { environment: ["A=1"] }],
    [["-e=A=1"], { environment: ["A=1"] }],
    [["-e", "-t"], { environment: ["-t"] }],
    [["-e="], { environment: [""] }],
    [["-e", "A", "--env", "B", "--env=C", "-eD"], { environment: ["A", "B", "C", "D"] }],
    [["-i"], { interactive: true }],
    [["-it"], { interactive: true, terminal: true }],
    [["-itv", "/a:/b"], { interactive: true, terminal: true, volumes: ["/a:/b"] }],
    [["-itv/a:/b"], { interactive: true, terminal: true, volumes: ["/a:/b"] }],
    [["-itv=/a:/b"], { interactive: true, terminal: true, volumes: ["/a:/b"] }],
    [["-i=false"], {}],
    [["-ti=0"], { terminal: true }],
    [["--rm"], { remove: true }],
    [["--rm=true"], { remove: true }],
    [["--rm=1"], { remove: true }],
    [["--rm=T"], { remove: true }],
    [["--rm", "--rm=false"], {}],
    [["--rm=False", "--rm"], { remove: true }],
    [["--pull=false"], { pull: false }],
    [["--size", "7"], { size: 7 }],
    [["-s7", "-s", "8"], { size: 8 }],
    [["-h", "box"], { hostname: "box" }],
  ])("reads %j", (words, differences) => {
    expect(parse(words)).toEqual({ options: { ...initial, ...differences }, operands: [] });
  });

  test.each<[string[], operands: string[], terminal: boolean]>([
    [["a", "-t", "b"], ["a", "b"], true],
    [["a", "--", "-t", "--"], ["a", "-t", "--"], false],
    [["-", "-t"], ["-"], true],
    [["", "-t"], [""], true],
  ])("takes options and operands in any order: %j", (words, operands, terminal) => {
    expect(parse(words)).toEqual({ options: { ...initial, terminal }, operands });
  });

  test.each<[string[], operands: string[], terminal: boolean]>([
    [["-t", "image", "-t", "--rm", "--bogus"], ["image", "-t", "--rm", "--bogus"], true],
    [["image", "--", "x"], ["image", "--", "x"], false],
    [["-t", "--", "-image", "--"], ["-image", "--"], true],
    [["image", "--help"], ["image", "--help"], false],
  ])("stops at the first operand where the table says so: %j", (words, operands, terminal) => {
    expect(parse(words, stopping)).toEqual({ options: { ...initial, terminal }, operands });
  });

  test.each([[["--help"]], [["-t", "--help", "--bogus"]], [["-e", "A", "--help"]]])("asks for help: %j", (words) => {
    expect(parse(words, stopping)).toBe("help");
  });

  test("-h is help only where the table has no other use for it", () => {
    expect(parseArguments("bunker", { options: {}, required: [] }, ["-h"])).toBe("help");
    expect(errorOf(() => parse(["-h"])).code).toBe("missing_value");
  });

  test.each<[string[], code: string, message: string]>([
    [["--netwrok", "x"], "unknown_option", "unknown option --netwrok; did you mean --network?"],
    [["--netwrok=x"], "unknown_option", "unknown option --netwrok; did you mean --network?"],
    [["--publish", "80"], "unknown_option", "unknown option --publish; bunker test --help lists the options"],
    [["--no-rm"], "unknown_option", "unknown option --no-rm; bunker test --help lists the options"],
    [["--help=x"], "unknown_option", "unknown option --help; bunker test --help lists the options"],
    [["---rm"], "unknown_option", "unknown option ---rm; did you mean --rm?"],
    [["-x"], "unknown_option", "unknown option -x; bunker test --help lists the options"],
    [["-itx"], "unknown_option", "unknown option -x in -itx; bunker test --help lists the options"],
    [["-rm"], "unknown_option", "unknown option -r in -rm; did you mean --rm?"],
    [["--network"], "missing_value", "option --network needs a value"],
    [["--net"], "missing_value", "option --net needs a value"],
    [["-ite"], "missing_value", "option -e needs a value"],
    [["--size", "big"], "invalid_value", 'invalid value "big" for --size: expected a number'],
    [["-s", "b\nig"], "invalid_value", 'invalid value "b\\nig" for --size: expected a number'],
    [["--size=x", "--size=1"], "invalid_value", 'invalid value "x" for --size: expected a number'],
    [["--rm=yes"], "invalid_value", 'invalid value "yes" for --rm: expected true or false'],
    [["-i=x"], "invalid_value", 'invalid value "x" for --interactive: expected true or false'],
  ])("refuses %j", (words, code, message) => {
    const error = errorOf(() => parse(words));
    expect({ code: error.code, message: error.message }).toEqual({ code, message });
    expect(error.exitStatus).toBe(125);
  });

  test("counts the operands", () => {
    const pair = { options: {}, required: ["SOURCE", "TARGET"] } as const;
    expect(errorOf(() => parseArguments("bunker copy", pair, ["a"]))).toMatchObject({
      code: "missing_operand",
      message: "bunker copy needs TARGET; bunker copy --help shows how it is used",
    });
    expect(errorOf(() => parseArguments("bunker copy", pair, ["a", "b", "c d"]))).toMatchObject({
      code: "unexpected_operand",
      message: 'unexpected argument "c d"; bunker copy --help shows how it is used',
    });
    const limited = { ...pair, optional: "[MODE]", optionalLimit: 1 };
    expect(parseArguments("bunker copy", limited, ["a", "b", "c"])).toMatchObject({ operands: ["a", "b", "c"] });
    expect(errorOf(() => parseArguments("bunker copy", limited, ["a", "b", "c", "d"])).code).toBe("unexpected_operand");
  });

  test("the types of the results follow from the table", () => {
    const given = parseArguments("bunker test", stopping, ["-s7", "-eA", "image", "word"]);
    if (given === "help") throw new Error("help was not asked for");
    const size: number = given.options.size;
    const network: string | undefined = given.options.network;
    const environment: readonly string[] = given.options.environment;
    const [image, ...words] = given.operands;
    const imageName: string = image;
    expect([size, network, environment, imageName, words]).toEqual([7, undefined, ["A"], "image", ["word"]]);
  });

  test("a failure inside a parser that is not about the value is passed on", () => {
    const fault = new TypeError("fault");
    const broken = single({
      name: "broken",
      valueName: "X",
      description: "",
      parse: () => {
        throw fault;
      },
    });
    expect(() => parseArguments("bunker", { options: { broken }, required: [] }, ["--broken=1"])).toThrow(fault);
  });
});
