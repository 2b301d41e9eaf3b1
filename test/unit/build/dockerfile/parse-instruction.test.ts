// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { describe, expect, test } from "bun:test";
import type { InstructionName } from "../../../../src/build/dockerfile/instruction.ts";
import { mistakeIn, parse, parseOne } from "./parse.ts";

const copied = { heredocs: [], chown: undefined, chmod: undefined, link: false, exclude: [] };

describe("an instruction", () => {
  test.each<[InstructionName, string, object]>([
    ["ADD", "ADD a /b/", { ...copied, sources: ["a"], destination: "/b/", keepGitDirectory: false }],
    [
      "ADD",
      "ADD --checksum=sha256:aa --keep-git-dir --unpack=false --chown=1:2 --chmod=u+x --link --exclude=*.o --exclude=d a /b",
      {
        checksum: "sha256:aa",
        keepGitDirectory: true,
        unpack: false,
        chown: "1:2",
        chmod: "u+x",
        link: true,
        exclude: ["*.o", "d"],
      },
    ],
    ["ADD", 'ADD ["a b", "c"]', { sources: ["a b"], destination: "c" }],
    [
      "ARG",
      "ARG a b= c=\"d e\" f='g'",
      {
        arguments: [
          { name: "a", value: undefined },
          { name: "b", value: "" },
          { name: "c", value: '"d e"' },
          { name: "f", value: "'g'" },
        ],
      },
    ],
    ["CMD", "CMD a  b", { command: { form: "shell", text: "a  b", heredocs: [] } }],
    ["CMD", 'cmd ["a", "\\u0062"]', { command: { form: "exec", words: ["a", "b"] } }],
    ["CMD", "CMD ['a']", { command: { form: "shell", text: "['a']", heredocs: [] } }],
    ["CMD", "CMD []", { command: { form: "exec", words: [] } }],
    ["COPY", "COPY --parents --from=0 a b* /c", { parents: true, from: "0", sources: ["a", "b*"], destination: "/c" }],
    ["COPY", 'COPY --chown="a b" -- --x /c', { chown: "a b", sources: ["--x"] }],
    ["ENTRYPOINT", 'ENTRYPOINT ["a"]', { command: { form: "exec", words: ["a"] } }],
    [
      "ENV",
      'ENV a=b c="d e" f=g\\ h',
      {
        values: [
          { name: "a", value: "b", isLegacy: false },
          { name: "c", value: '"d e"', isLegacy: false },
          { name: "f", value: "g\\ h", isLegacy: false },
        ],
      },
    ],
    ["ENV", "ENV a  b  c=d", { values: [{ name: "a", value: "b  c=d", isLegacy: true }] }],
    ["EXPOSE", "EXPOSE 80 1-3/udp $P", { ports: ["$P", "1-3/udp", "80"] }],
    ["HEALTHCHECK", "HEALTHCHECK NONE", { healthcheck: { Test: ["NONE"] } }],
    [
      "HEALTHCHECK",
      "HEALTHCHECK --interval=5m --timeout=3s --start-period=1.5s --start-interval=500ms --retries=3 cmd curl  x",
      {
        healthcheck: {
          Test: ["CMD-SHELL", "curl  x"],
          Interval: 300e9,
          Timeout: 3e9,
          StartPeriod: 15e8,
          StartInterval: 5e8,
          Retries: 3,
        },
      },
    ],
    ["HEALTHCHECK", 'HEALTHCHECK --interval=0 CMD ["a"]', { healthcheck: { Test: ["CMD", "a"] } }],
    ["LABEL", 'LABEL "a b"=c', { values: [{ name: '"a b"', value: "c", isLegacy: false }] }],
    ["MAINTAINER", "MAINTAINER A <b@c>", { maintainer: "A <b@c>" }],
    ["ONBUILD", "ONBUILD  copy . /x", { trigger: "copy . /x" }],
    ["RUN", "RUN --network=none --security=insecure a", { network: "none", security: "insecure", mounts: [] }],
    [
      "RUN",
      "RUN --mount=type=bind,from=b,target=/x --mount=target=/y a",
      {
        mounts: ["type=bind,from=b,target=/x", "target=/y"],
        mountedFrom: ["b"],
        network: "default",
        security: "sandbox",
      },
    ],
    ["SHELL", 'SHELL ["/bin/bash", "-c"]', { shell: ["/bin/bash", "-c"] }],
    ["STOPSIGNAL", "STOPSIGNAL $S", { signal: "$S" }],
    ["USER", "USER a:b", { user: "a:b" }],
    ["VOLUME", "VOLUME /a /b", { paths: ["/a", "/b"] }],
    ["VOLUME", 'VOLUME ["/a b"]', { paths: ["/a b"] }],
    ["WORKDIR", "WORKDIR a b", { path: "a b" }],
  ])("%s: %s", (name, text, expected) => {
    expect(parseOne(name, text)).toMatchObject({ name, text, ...expected });
  });

  test.each([
    ["ADD a", "ADD requires at least two arguments, but only one was provided. Destination could not be determined"],
    ["COPY", "COPY requires at least two arguments, but only one was provided. Destination could not be determined"],
    ["COPY --form=x a b", "unknown flag: --form (did you mean --from?)"],
    ["COPY --frobnicate a b", "unknown flag: --frobnicate"],
    [
      "RUN --device=vendor/gpu true",
      "--device asks for a CDI device, and Bunker knows none; with --security=insecure a command has those of the caller",
    ],
    ["COPY --from a b", "missing a value on flag: --from"],
    ["COPY --from=a --from=b c d", "duplicate flag specified: --from"],
    ["COPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe"],
    ["COPY --link= a b", "missing a value on flag: --link"],
    ["COPY [1, 2]", "when using JSON array syntax, arrays must be comprised of strings only"],
    ["COPY a <<E\nE", "COPY cannot accept a heredoc as a destination"],
    [
      "COPY --from=$A b c",
      "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
    ],
    ["ARG", "ARG requires at least one argument"],
    ["ARG =a", "ARG names can not be blank"],
    ["ENV", "ENV requires at least one argument"],
    ["ENV A", "ENV must have two arguments"],
    ["ENV =b", "ENV names can not be blank"],
    ["ENV A=b C", `Syntax error - can't find = in "C". Must be of the form: name=value`],
    ["LABEL --x a=b", "unknown flag: --x"],
    ["CMD [null]", "when using JSON array syntax, arrays must be comprised of strings only"],
    ["EXPOSE", "EXPOSE requires at least one argument"],
    ["FROM", "FROM requires either one or three arguments"],
    ["FROM a b", "FROM requires either one or three arguments"],
    ["FROM a AS", "FROM requires either one or three arguments"],
    ["FROM a IS b", "FROM requires either one or three arguments"],
    ["FROM a AS 1b", `invalid name for build stage: "1b", name can't start with a number or contain symbols`],
    ["FROM --plattform=x a", "unknown flag: --plattform (did you mean --platform?)"],
    ["HEALTHCHECK", "HEALTHCHECK requires at least one argument"],
    ["HEALTHCHECK NONE a", "HEALTHCHECK NONE takes no arguments"],
    ["HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"],
    ["HEALTHCHECK CMD []", "Missing command after HEALTHCHECK CMD"],
    ["HEALTHCHECK curl", `Unknown type "curl" in HEALTHCHECK (try CMD)`],
    ["HEALTHCHECK --interval=5 CMD a", `invalid duration "5" for --interval`],
    ["HEALTHCHECK --interval=1us CMD a", "--interval cannot be less than 1ms"],
    ["HEALTHCHECK --retries=x CMD a", `invalid number "x" for --retries`],
    ["HEALTHCHECK --retries=-1 CMD a", "--retries cannot be negative (-1)"],
    ["HEALTHCHECK --intervall=1s CMD a", "unknown flag: --intervall (did you mean --interval?)"],
    ["MAINTAINER", "MAINTAINER requires exactly one argument"],
    ["ONBUILD", "ONBUILD requires at least one argument"],
    ["ONBUILD ONBUILD RUN a", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ["ONBUILD from a", "FROM isn't allowed as an ONBUILD trigger"],
    ["ONBUILD RUM a", "unknown instruction: RUM (did you mean RUN?)"],
    [
      "ONBUILD COPY a",
      "COPY requires at least two arguments, but only one was provided. Destination could not be determined",
    ],
    ["RUN", "RUN requires at least one argument"],
    ["RUN []", "RUN requires at least one argument"],
    ["RUN --network=hots a", `invalid value "hots" for --network (did you mean host?)`],
    ["RUN --security=x a", `invalid value "x" for --security (it may be sandbox, insecure)`],
    ["SHELL", "SHELL requires at least one argument"],
    ["SHELL []", "SHELL requires at least one argument"],
    ["SHELL /bin/sh -c", `SHELL requires the arguments to be in JSON form: SHELL ["/bin/sh", "-c"]`],
    ["STOPSIGNAL", "STOPSIGNAL requires exactly one argument"],
    ["STOPSIGNAL --x 9", "unknown flag: --x"],
    ["USER", "USER requires exactly one argument"],
    ["VOLUME", "VOLUME requires at least one argument"],
    ['VOLUME [" "]', "VOLUME specified can not be an empty string"],
    ["WORKDIR", "WORKDIR requires exactly one argument"],
  ])("%s is refused: %s", (text, mistake) => {
    expect(mistakeIn(() => parse(`FROM debian\n${text}`))).toBe(`2: ${mistake}`);
  });
});
