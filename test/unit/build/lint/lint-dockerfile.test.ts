// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { describe, expect, test } from "bun:test";
import { globalArguments, platformArguments } from "../../../../src/build/graph/stage-variables.ts";
import { type LintInput, lintDockerfile } from "../../../../src/build/lint/lint-dockerfile.ts";
import { explainedWarning, pageOfRule, shortWarning } from "../../../../src/build/lint/lint-warning.ts";
import { LINT_RULES } from "../../../../src/build/lint/rules.ts";
import { parsePlatform } from "../../../../src/image/platform.ts";
import { mistakeIn, parse } from "../dockerfile/parse.ts";

const amd64 = parsePlatform("linux/amd64");
const debian = { configuration: { Env: ["PATH=/bin", "JAVA_HOME=/java"] }, platform: amd64, expected: amd64 };

function lint(text: string, input: Partial<LintInput> = {}) {
  const file = parse(text);
  const global = globalArguments(file, new Map(), platformArguments(amd64, amd64));
  const images = new Map(file.stages.map(({ index }) => [index, debian]));
  return lintDockerfile(file, {
    ...{ global, options: undefined, images, isIgnored: undefined, stages: undefined },
    ...input,
  });
}

const warnings = (text: string, input: Partial<LintInput> = {}) => lint(text, input).warnings.map(shortWarning);

describe("a rule", () => {
  test.each([
    ["FROM a AS Build", "StageNameCasing: Stage name 'Build' should be lowercase (line 1)"],
    ["FROM a as b", "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"],
    ["FROM a\nRUN b \\\n\n c", "NoEmptyContinuation: Empty continuation line (line 4)"],
    [
      "FROM a\nrun b\nRUN c",
      "ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase) (line 2)",
    ],
    ["FROM a AS b\nFROM a AS b", 'DuplicateStageName: Duplicate stage name "b", stage names should be unique (line 2)'],
    [
      "FROM a AS scratch",
      'ReservedStageName: Stage name should not use the same name as reserved stage "scratch" (line 1)',
    ],
    [
      "FROM a\nCMD b",
      "JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals (line 2)",
    ],
    [
      "FROM a\nMAINTAINER b",
      "MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)",
    ],
    [
      "ARG VERSION=1\nFROM a:${VERSIN:-1}",
      "UndefinedArgInFrom: FROM argument 'VERSIN' is not declared (did you mean VERSION?) (line 2)",
    ],
    [
      "FROM a\nWORKDIR b\nWORKDIR c",
      'WorkdirRelativePath: Relative workdir "b" can have unexpected results if the base image changes (line 2)',
    ],
    [
      "FROM a\nCOPY $JAVA_HOM /x",
      "UndefinedVar: Usage of undefined variable '$JAVA_HOM' (did you mean $JAVA_HOME?) (line 2)",
    ],
    ["FROM a\nARG B=$C", "UndefinedVar: Usage of undefined variable '$C' (line 2)"],
    ["FROM a\nRUN --mount=type=cache,target=$C b", "UndefinedVar: Usage of undefined variable '$C' (line 2)"],
    [
      'FROM a\nCMD ["b"]\nCMD ["c"]',
      "MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used (line 2)",
    ],
    [
      "FROM a\nENV B c",
      'LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format (line 2)',
    ],
    [
      "FROM --platform=$TARGETPLATFORM a",
      "RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior (line 1)",
    ],
    [
      "FROM a\nARG GITHUB_TOKEN",
      'SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "GITHUB_TOKEN") (line 2)',
    ],
    [
      "FROM a\nENV api_key=1",
      'SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "api_key") (line 2)',
    ],
    [
      "ARG A\nFROM a:$A",
      "InvalidDefaultArgInFrom: Default value for ARG a:$A results in empty or invalid base image name (line 2)",
    ],
    [
      "FROM --platform=linux/amd64 a AS b",
      'FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64" (line 1)',
    ],
    [
      "FROM a\nEXPOSE 80/TCP",
      "ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase (line 2)",
    ],
    [
      "FROM a\nEXPOSE 127.0.0.1:80:80",
      "ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80' (line 2)",
    ],
  ])("%j", (text, warning) => {
    expect(warnings(text)).toEqual([warning]);
  });

  test.each([
    "FROM a AS b\nFROM b\nCOPY --from=b $JAVA_HOME $PATH $TARGETOS* /x/",
    "from a as b\nrun c",
    "FROM a\nARG B\nCOPY $B /x",
    "FROM a AS b\nARG C=1\nWORKDIR /d\nFROM b\nWORKDIR e\nCOPY ${C?} /x",
    'FROM a\nSHELL ["/bin/bash", "-c"]\nCMD b',
    "FROM a\nENV PUBLIC_KEY=1 TOKEN_FILE=2 KEYBOARD=3",
    'FROM a\nRUN echo $UNKNOWN\nCMD ["$UNKNOWN"]',
    "FROM --platform=linux/arm64 a AS build-arm64",
    "FROM --platform=$BUILDPLATFORM a",
    "FROM a\n# b\nARG C",
    "FROM scratch\nENV A=$PATH",
  ])("is not broken by %j", (text) => {
    const found = warnings(text).filter((warning) => !warning.includes("TARGETOS"));
    expect(found).toEqual([]);
  });

  test("about images needs to know them", () => {
    expect(warnings("FROM a\nCOPY $UNKNOWN /x", { images: new Map() })).toEqual([]);
    const arm64 = { ...debian, platform: parsePlatform("linux/arm64") };
    expect(warnings("FROM a", { images: new Map([[0, arm64]]) })).toEqual([
      'InvalidBaseImagePlatform: Base image a was pulled with platform "linux/arm64", expected "linux/amd64" for current build (line 1)',
    ]);
    const shell = { ...debian, configuration: { Shell: ["/bin/x"] } };
    expect(warnings("FROM a\nCMD b", { images: new Map([[0, shell]]) })).toEqual([]);
  });

  test("about ignored files is given what is ignored", () => {
    const isIgnored = (path: string) => path === "b/c";
    const text = "FROM a\nCOPY ./b//c /x\nCOPY --from=z b/c /y\nADD b/c https://x/b/c /z";
    expect(warnings(text, { isIgnored })).toEqual([
      'CopyIgnoredFile: Attempting to Copy file "b/c" that is excluded by .dockerignore (line 2)',
      'CopyIgnoredFile: Attempting to Add file "b/c" that is excluded by .dockerignore (line 4)',
    ]);
  });

  test("about definitions is an experiment", () => {
    const text = "# Some comment\nFROM a AS b\n# C is fine\nARG C\n# other\nARG D E";
    expect(warnings(text)).toEqual([]);
    expect(warnings(text, { options: "experimental=all" })).toEqual([
      "InvalidDefinitionDescription: Comment for FROM should follow the format: `# b <description>` (line 2)",
      "InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>` (line 6)",
    ]);
    expect(warnings(text, { options: "experimental=InvalidDefinitionDescription;skip=all" })).toHaveLength(2);
  });

  test("about stages that are not built is not followed", () => {
    const text = "FROM a AS b\nCOPY $X /\nFROM a AS c\nCOPY $Y /";
    expect(warnings(text, { stages: new Set([1]) })).toEqual([
      "UndefinedVar: Usage of undefined variable '$Y' (line 4)",
    ]);
  });

  test("has a page, with one exception", () => {
    const names = Object.keys(LINT_RULES) as (keyof typeof LINT_RULES)[];
    expect(names.filter((name) => pageOfRule(name) === undefined)).toEqual(["InvalidBaseImagePlatform"]);
    expect(pageOfRule("JSONArgsRecommended")).toBe("https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
  });
});

describe("options", () => {
  const text = "FROM a\nMAINTAINER b\nCMD c";

  test("skip rules in the file, above an instruction, or from outside", () => {
    expect(warnings(`# check=skip=MaintainerDeprecated, JSONArgsRecommended\n${text}`)).toEqual([]);
    expect(warnings(`# check=skip=all\n${text}`)).toEqual([]);
    expect(warnings(`# check=skip=all\n${text}`, { options: "skip=JSONArgsRecommended" })).toHaveLength(1);
    expect(warnings("FROM a\n# check=skip=JSONArgsRecommended\nCMD b\nUSER c\nMAINTAINER d")).toHaveLength(1);
    expect(warnings(`# check=skip=RuleOfTheFuture\n${text}`)).toHaveLength(2);
  });

  test("make warnings errors", () => {
    expect(lint(text).isError).toBe(false);
    expect(lint(`# check=error=true\n${text}`).isError).toBe(true);
    expect(lint(`# check=skip=all;error=true\n${text}`).isError).toBe(false);
  });

  test.each([
    ["skip", 'invalid check option "skip"'],
    ["skipp=all", 'invalid check option "skipp" (it may be skip, experimental, error)'],
    ["error=perhaps", 'failed to parse check option "error=perhaps": it is true or false'],
  ])("%s is refused", (options, mistake) => {
    expect(mistakeIn(() => lint(`# check=${options}\nFROM a`))).toBe(`1: ${mistake}`);
  });
});

test("what cannot be built ends the checks", () => {
  const { warnings: found, error } = lint("FROM a\nMAINTAINER b\nCOPY ${X?} /\nCMD c");
  expect(found.map(({ rule }) => rule)).toEqual(["MaintainerDeprecated", "UndefinedVar"]);
  expect(error?.mistake).toContain("X: is not allowed to be unset");
});

test("a warning is explained with its lines", () => {
  const [warning] = lint("FROM a\nCMD b").warnings;
  expect(warning && explainedWarning(warning)).toBe(
    [
      "WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
      "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
      "Dockerfile:2",
      "--------------------",
      "   1 |     FROM a",
      "   2 | >>> CMD b",
      "--------------------",
    ].join("\n"),
  );
});
