// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { describe, expect, test } from "bun:test";
import { DockerfileError } from "../../../../src/build/dockerfile/dockerfile-error.ts";
import { expandInstruction } from "../../../../src/build/dockerfile/expand-instruction.ts";
import type { InstructionNamed } from "../../../../src/build/dockerfile/instruction.ts";

const source = { name: "Dockerfile", lines: ["FROM debian", "COPY $A ${B?} /x", "RUN true", "CMD sh"] };
const copy: InstructionNamed<"COPY"> = {
  name: "COPY",
  keyword: "COPY",
  location: { source, firstLine: 2, lastLine: 2 },
  text: "COPY $A ${B?} /x",
  comments: [],
  sources: ["$A", "${B?}"],
  heredocs: [
    { name: "E", content: "$A\n", expands: true, stripsTabs: false },
    { name: "Q", content: "$A\n", expands: false, stripsTabs: false },
  ],
  destination: "/x",
  chown: "$A:0",
  chmod: undefined,
  link: false,
  exclude: [],
  from: undefined,
  parents: false,
};

describe("an instruction", () => {
  test("gets values where it may have variables", () => {
    const scope = { lookUp: (name: string) => name.toLowerCase(), escape: "\\" } as const;
    const expanded = expandInstruction(copy, scope);
    expect(expanded.sources).toEqual(["a", "b"]);
    expect(expanded.heredocs.map(({ content }) => content)).toEqual(["a\n", "$A\n"]);
    expect(expanded.chown).toBe("a:0");
    expect(expanded.chmod).toBeUndefined();
  });

  test("that cannot be expanded is quoted with its number", () => {
    const error = (() => {
      try {
        expandInstruction(copy, { lookUp: () => undefined, escape: "\\" });
      } catch (cause) {
        return cause;
      }
      return undefined;
    })();
    expect(error).toBeInstanceOf(DockerfileError);
    const { message, excerpt } = error as DockerfileError;
    expect(message).toBe('read Dockerfile: line 2: failed to process "${B?}": B: is not allowed to be unset');
    expect(excerpt).toBe(
      [
        "Dockerfile:2",
        "--------------------",
        "   1 |     FROM debian",
        "   2 | >>> COPY $A ${B?} /x",
        "   3 |     RUN true",
        "   4 |     CMD sh",
        "--------------------",
      ].join("\n"),
    );
  });
});
