// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { describe, expect, test } from "bun:test";
import { changeConfiguration } from "../../../../src/build/dockerfile/change-configuration.ts";
import { createdBy } from "../../../../src/build/dockerfile/created-by.ts";
import { parseChanges } from "../../../../src/build/dockerfile/parse-changes.ts";
import type { ConfigurationParameters } from "../../../../src/image/configuration-parameters.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import { mistakeIn, parse } from "./parse.ts";

function only(text: string) {
  const [instruction] = parse(`FROM debian\n${text}`).stages[0].instructions;
  if (instruction === undefined) throw new Error("nothing");
  return instruction;
}

describe("an instruction changes the configuration, and the history tells of it", () => {
  test.each<[string, ConfigurationParameters, ConfigurationParameters, string | undefined]>([
    ["CMD a b", {}, { Cmd: ["/bin/sh", "-c", "a b"] }, 'CMD ["/bin/sh" "-c" "a b"]'],
    [
      "CMD a",
      { Shell: ["/bin/bash", "-ec"] },
      { Shell: ["/bin/bash", "-ec"], Cmd: ["/bin/bash", "-ec", "a"] },
      'CMD ["/bin/bash" "-ec" "a"]',
    ],
    ['CMD ["a\\"\\t\\u0001é\\u200b"]', {}, { Cmd: ['a"\t\u0001é\u200b'] }, 'CMD ["a\\"\\t\\x01é\\u200b"]'],
    ["CMD []", { Cmd: ["a"] }, {}, "CMD []"],
    ['ENTRYPOINT ["a"]', { Cmd: ["b"] }, { Entrypoint: ["a"] }, 'ENTRYPOINT ["a"]'],
    ["ENTRYPOINT []", { Entrypoint: ["b"] }, {}, "ENTRYPOINT []"],
    ["ENV B=c D=e", { Env: ["A=1", "B=2"] }, { Env: ["A=1", "B=c", "D=e"] }, "ENV B=c D=e"],
    ["ENV A b c", {}, { Env: ["A=b c"] }, "ENV A=b c"],
    [
      "EXPOSE 9000-9001/UDP 80",
      { ExposedPorts: { "99/tcp": {} } },
      { ExposedPorts: { "80/tcp": {}, "9000/udp": {}, "9001/udp": {}, "99/tcp": {} } },
      "EXPOSE [80/tcp 9000/udp 9001/udp]",
    ],
    [
      "HEALTHCHECK --interval=90m --timeout=1500ms --retries=2 CMD a",
      {},
      { Healthcheck: { Test: ["CMD-SHELL", "a"], Interval: 5400e9, Timeout: 1.5e9, Retries: 2 } },
      "HEALTHCHECK {Test:[CMD-SHELL a] Interval:1h30m0s Timeout:1.5s StartPeriod:0s StartInterval:0s Retries:2}",
    ],
    [
      "LABEL b=1 __proto__=2",
      { Labels: { c: "3" } },
      { Labels: { ["__proto__"]: "2", b: "1", c: "3" } },
      "LABEL b=1 __proto__=2",
    ],
    ["MAINTAINER me", {}, {}, "MAINTAINER me"],
    ["ONBUILD RUN a", { OnBuild: ["RUN b"] }, { OnBuild: ["RUN b", "RUN a"] }, undefined],
    ['SHELL ["/bin/bash", "-c"]', {}, { Shell: ["/bin/bash", "-c"] }, "SHELL [/bin/bash -c]"],
    ["STOPSIGNAL SIGINT", {}, { StopSignal: "SIGINT" }, "STOPSIGNAL SIGINT"],
    ["USER a:b", { User: "c" }, { User: "a:b" }, "USER a:b"],
    ["VOLUME /b /a", {}, { Volumes: { "/a": {}, "/b": {} } }, "VOLUME [/b /a]"],
    ["WORKDIR b/../c/", { WorkingDir: "/a" }, { WorkingDir: "/a/c" }, "WORKDIR /a/c"],
    ["WORKDIR ../../x", {}, { WorkingDir: "/x" }, "WORKDIR /x"],
    [
      "COPY --parents --chown=1 --chmod=755 --link a b /c",
      {},
      {},
      "COPY --parents --chown=1 --chmod=755 a b /c # buildkit",
    ],
    ["ADD <<a b /c\na", {}, {}, "ADD b <<a /c # buildkit"],
  ])("%s", (text, before, after, told) => {
    const instruction = only(text);
    const parameters = changeConfiguration(before, instruction, false);
    expect(parameters).toEqual(after);
    expect(createdBy(instruction, { parameters, arguments: [], words: [] })).toBe(told);
  });

  test("ENTRYPOINT keeps the command of its own stage", () => {
    expect(changeConfiguration({ Cmd: ["b"] }, only('ENTRYPOINT ["a"]'), true)).toEqual({
      Cmd: ["b"],
      Entrypoint: ["a"],
    });
  });

  test("what is told of ARG and RUN has the values of arguments", () => {
    const details = { parameters: {}, arguments: ["A=1", "B"], words: ["/bin/sh", "-c", "a"] };
    expect(createdBy(only("ARG A=0 B"), details)).toBe("ARG A=1 B");
    expect(createdBy(only("RUN a"), details)).toBe("RUN |2 A=1 B= /bin/sh -c a # buildkit");
    expect(createdBy(only("RUN a"), { ...details, arguments: [] })).toBe("RUN /bin/sh -c a # buildkit");
  });

  test.each([
    ["STOPSIGNAL SIGINTT", 'read signal "SIGINTT": no such signal. Did you mean SIGINT?'],
    ["EXPOSE http", 'invalid port "http": it is not of the form PORT[-PORT][/PROTOCOL]'],
    ["EXPOSE 70000", 'invalid port "70000": value out of range (0–65535)'],
    ["EXPOSE 2-1", 'invalid port "2-1": the range is the wrong way round'],
    ["EXPOSE 80/icmp", 'invalid port "80/icmp": the protocol is tcp, udp or sctp, not "icmp"'],
  ])("%s is refused", (text, mistake) => {
    expect(mistakeIn(() => changeConfiguration({}, only(text), false))).toBe(`2: ${mistake}`);
  });
});

describe("changes of a command line", () => {
  const apply = (parameters: ConfigurationParameters, ...texts: string[]) =>
    parseChanges(texts).reduce((changed, change) => change(changed), parameters);

  test("are made one after the other, with the variables of the image", () => {
    expect(
      apply(
        { Env: ["PATH=/bin"], Cmd: ["old"] },
        "ENV PATH=$PATH:/x",
        "cmd a",
        'ENTRYPOINT ["b"]',
        "LABEL p=${PATH#/}",
      ),
    ).toEqual({
      Env: ["PATH=/bin:/x"],
      Cmd: ["/bin/sh", "-c", "a"],
      Entrypoint: ["b"],
      Labels: { p: "bin:/x" },
    });
  });

  test.each([
    ["RUN a", "it may be CMD, ENTRYPOINT, ENV"],
    ["FRM a", "it may be CMD"],
    ["", "it may be CMD"],
    ["USER a\nUSER b", "it may be CMD"],
    ["USER", "USER requires exactly one argument"],
    ["EXPOSE x", 'invalid port "x"'],
    ["ENV A='b", "looking for matching single-quote"],
  ])("%j is refused", (text, reason) => {
    const work = () => apply({}, text);
    expect(work).toThrow(BunkerError);
    expect(work).toThrow(`apply the change ${JSON.stringify(text)}: `);
    expect(work).toThrow(reason);
  });
});
