// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { describe, expect, test } from "bun:test";
import { DockerfileError } from "../../../../src/build/dockerfile/dockerfile-error.ts";
import { findStage, parseDockerfile, parseTriggers } from "../../../../src/build/dockerfile/parse-dockerfile.ts";
import { mistakeIn, parse, parseOne } from "./parse.ts";

describe("a file", () => {
  test("is stages after directives and global arguments", () => {
    const { directives, globalArguments, stages } = parse(
      [
        "# syntax=docker/dockerfile:1",
        "# Check = skip=all",
        "# escape=`",
        "",
        "# BASE is where it begins",
        "ARG BASE=debian OTHER",
        "from --platform=$BUILDPLATFORM ${BASE} As Build-1",
        "  run a `",
        "# comment",
        "",
        "   b",
        "FROM scratch",
        "COPY --from=build-1 /a /b",
      ].join("\r\n"),
    );
    expect(directives).toEqual({ syntax: "docker/dockerfile:1", check: "skip=all", escape: "`" });
    expect(globalArguments[0]?.arguments).toEqual([
      { name: "BASE", value: "debian" },
      { name: "OTHER", value: undefined },
    ]);
    expect(globalArguments[0]?.comments).toEqual(["BASE is where it begins"]);
    expect(stages).toHaveLength(2);
    const [first, second] = stages;
    expect(first.from).toMatchObject({ base: "${BASE}", stageName: "build-1", platform: "$BUILDPLATFORM" });
    expect(first.from.keyword).toBe("from");
    expect(first.instructions[0]).toMatchObject({ text: "run a    b", keyword: "run" });
    expect(first.instructions[0]?.location).toMatchObject({ firstLine: 8, lastLine: 11 });
    expect(second?.instructions[0]).toMatchObject({ name: "COPY", from: "build-1" });
  });

  test("notes empty lines within instructions", () => {
    expect(parse("FROM a\nRUN b \\\n\n c\nRUN d").emptyContinuations).toEqual([4]);
    expect(parse("FROM a\nRUN b \\\n# no\n c\nRUN d").emptyContinuations).toEqual([]);
  });

  test("may begin with a byte order mark, and end with a continuation", () => {
    const { stages } = parse("\u{feff}FROM a\nRUN b \\");
    expect(stages[0].instructions[0]).toMatchObject({ command: { form: "shell", text: "b" } });
  });

  test("keeps comments directly above an instruction", () => {
    const { stages } = parse("# one\n# two\nFROM a\n# three\n\nRUN b\n# four\n#\n# five\nRUN c");
    expect(stages[0].from.comments).toEqual(["one", "two"]);
    expect(stages[0].instructions.map(({ comments }) => comments)).toEqual([[], ["five"]]);
  });

  test("does not take an escaped escape character for a continuation", () => {
    const { stages } = parse("FROM a\nRUN b \\\\\nRUN c");
    expect(stages[0].instructions).toHaveLength(2);
  });

  test.each([
    "docker/dockerfile:1-labs",
    "docker.io/docker/dockerfile:1@sha256:00",
    "mirror:5000/docker/dockerfile-upstream",
  ])("may be of the syntax %s", (syntax) => {
    expect(parse(`# syntax=${syntax}\nFROM a`).directives.syntax).toBe(syntax);
  });

  test("is read in time that grows with its length alone", () => {
    const long = 300_000;
    const lines = [
      `# syntax=docker/dockerfile:1${" ".repeat(long)}`,
      "FROM a",
      `RUN ${"\r".repeat(long)}b`,
      `CMD ${"\\ ".repeat(long)}`,
    ];
    expect(parse(lines.join("\n")).stages[0].instructions).toHaveLength(2);
  });

  test("ends directives at the first line that is none", () => {
    expect(parse("# hello\n# escape=`\nFROM a").directives.escape).toBe("\\");
    expect(parse("# unknown=1\n# escape=`\nFROM a").directives.escape).toBe("\\");
    expect(parse("\n# escape=`\nFROM a").directives.escape).toBe("\\");
  });

  test.each([
    ["", "1: file with no instructions"],
    ["# only\n\n", "2: file with no instructions"],
    ["ARG A", "1: file with no build stages: there is no FROM"],
    ["RUN a\nFROM b", "1: no build stage in current context: RUN is before FROM"],
    [
      "# syntax=example.org/other:1\nFROM a",
      "1: the syntax example.org/other:1 is another language than docker/dockerfile",
    ],
    ["# escape=x\nFROM a", "1: invalid escape token 'x' does not match ` or \\"],
    ["# escape=`\n# escape=`\nFROM a", "2: only one escape parser directive can be used"],
    ["FROM a\nRUNN b", "2: unknown instruction: RUNN (did you mean RUN?)"],
    ["FROM a\n\\\nENTRYPONT b", "2: unknown instruction: ENTRYPONT (did you mean ENTRYPOINT?)"],
    ["FROM a\nfrobnicate", "2: unknown instruction: frobnicate"],
    ["FROM a\n{", "2: unknown instruction: {"],
    ["FROM a\nRUN <<EOF\nb", '2: unterminated heredoc: there is no line "EOF"'],
    ["FROM a\nRUN <<A <<B\n1\nA\n2", '2: unterminated heredoc: there is no line "B"'],
  ])("%j: %s", (text, mistake) => {
    expect(mistakeIn(() => parse(text))).toBe(mistake);
  });

  test("that is not UTF-8 is refused at the line", () => {
    const bytes = Buffer.from("FROM a\nRUN gr\xfcn\n", "latin1");
    expect(mistakeIn(() => parseDockerfile(bytes, "D"))).toBe("2: it is not UTF-8");
  });

  test("never fails in another way, whatever is in it", () => {
    const pieces = (
      "FROM|a|AS|b|RUN|COPY|ADD|ENV|ARG|LABEL|CMD|SHELL|HEALTHCHECK|ONBUILD|EXPOSE|USER|VOLUME|STOPSIGNAL|WORKDIR|--mount=|" +
      "--from=|--interval=1s|type=cache,|target=/x|NONE|[|]|\"|'|\\|`|$|${|}|:-|<<|<<-|EOF|#|# escape=`|=|,|\n|\n| | |\t|\r|" +
      "\0|\u{feff}|é|\u{1f600}|\u{2028}|__proto__|constructor|1|/|*"
    ).split("|");
    let seed = 12345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    let understood = 0;
    for (let round = 0; round < 4000; round++) {
      let text = random(2) === 0 ? "FROM a\n" : "";
      for (let count = random(14); count >= 0; count--)
        text += `${pieces[random(pieces.length)]}${random(3) === 0 ? " " : ""}`;
      try {
        parse(text);
        understood++;
      } catch (error) {
        if (!(error instanceof DockerfileError)) throw new Error(JSON.stringify(text), { cause: error });
      }
    }
    expect(understood).toBeGreaterThan(20);
  });
});

describe("stages", () => {
  const file = parse("FROM a AS one\nFROM b AS two\nFROM c AS one\nFROM d");

  test("are found by name in any case or by number, above a place", () => {
    expect(findStage(file, "ONE", 2)?.index).toBe(0);
    expect(findStage(file, "one", 3)?.index).toBe(2);
    expect(findStage(file, "1", 3)?.index).toBe(1);
    expect(findStage(file, "3", 3)).toBeUndefined();
    expect(findStage(file, "debian", 4)).toBeUndefined();
  });
});

describe("heredocs", () => {
  test("follow the instruction in order", () => {
    const copy = parseOne("COPY", "COPY <<one <<-'two' three /to/\n$A\none\n\t\ta\n\tb\n\ttwo");
    expect(copy.sources).toEqual(["three"]);
    expect(copy.heredocs).toEqual([
      { name: "one", content: "$A\n", expands: true, stripsTabs: false },
      { name: "two", content: "a\nb\n", expands: false, stripsTabs: true },
    ]);
    expect(copy.location).toMatchObject({ firstLine: 2, lastLine: 7 });
    expect(copy.text).toBe("COPY <<one <<-'two' three /to/");
  });

  test("belong to the shell of a RUN", () => {
    const { command } = parseOne("RUN", 'RUN cat << EOF > /x && cat 3<<-"E" \n\ta # b \\\nEOF\n\tc\n\tE');
    expect(command).toEqual({
      form: "shell",
      text: 'cat << EOF > /x && cat 3<<-"E"',
      heredocs: [
        { name: "EOF", content: "\ta # b \\\n", expands: true, stripsTabs: false },
        { name: "E", content: "\tc\n", expands: false, stripsTabs: true },
      ],
    });
  });

  test.each(["RUN echo $((1<<2))", "RUN cat <<<word", "RUN echo 'a <<EOF'", "CMD cat <<EOF", "RUN echo it's <<EOF"])(
    "are not in %s",
    (text) => {
      expect(parse(`FROM a\n${text}\nRUN b`).stages[0].instructions).toHaveLength(2);
    },
  );

  test("may be those of a trigger", () => {
    const text = "ONBUILD RUN <<EOF\necho a\nEOF";
    expect(parseOne("ONBUILD", text).trigger).toBe("RUN <<EOF\necho a\nEOF");
    const [trigger] = parseTriggers([parseOne("ONBUILD", text).trigger], "image");
    expect(trigger).toMatchObject({ name: "RUN", command: { heredocs: [{ content: "echo a\n" }] } });
  });
});

describe("triggers", () => {
  test("are instructions of their own text", () => {
    const [run, copy] = parseTriggers(["RUN a", "COPY b c"], "base");
    expect(run).toMatchObject({ name: "RUN", location: { source: { name: "ONBUILD of base" } } });
    expect(copy?.name).toBe("COPY");
  });

  test.each([["FROM a"], ["ONBUILD RUN a"], ["RUN a\nRUN b"], [""], ["NO"]])("%j is refused", (text) => {
    expect(() => parseTriggers([text], "base")).toThrow(DockerfileError);
  });
});
