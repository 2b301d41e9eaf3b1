// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
/* What an image tells of the Dockerfile that it is made from, what it asks of those that are built on it, and mistakes. */
import { expect, test } from "bun:test";
import { readImage, type WrittenImage } from "./image-on-disk.ts";
import { buildSuite } from "./suite.ts";

const suite = buildSuite();

/** Builds, and reads the image. */
async function image(dockerfile: readonly string[], options: readonly string[] = []): Promise<WrittenImage> {
  const context = suite.context({ Dockerfile: dockerfile.join("\n"), "a.txt": "a\n", "b.txt": "b\n" });
  await suite.built(context, ["-o", `type=oci,tar=false,dest=${context}/result`, ...options]);
  return readImage(`${context}/result`);
}

test("configurations and the history", async () => {
  const dockerfile = [
    "# escape=`",
    "FROM busybox AS one",
    "ARG A=1",
    "ENV B=`$A",
    "USER alice",
    "FROM one",
    'SHELL ["/bin/sh", "-ec"]',
    "EXPOSE 81-82/udp 80",
    "RUN touch /tmp/x",
    "COPY --chown=1:2 a.txt b.txt /d/",
    "WORKDIR /d",
    "LABEL l=$A",
    "CMD run",
    "HEALTHCHECK --start-interval=500ms CMD true",
    "ONBUILD COPY a.txt /from-trigger",
  ];
  const { configuration } = await image(dockerfile, ["--load", "-t", "triggering"]);
  expect(configuration.config).toMatchObject({
    Cmd: ["/bin/sh", "-ec", "run"],
    ExposedPorts: { "80/tcp": {}, "81/udp": {}, "82/udp": {} },
    Healthcheck: { Test: ["CMD-SHELL", "true"], StartInterval: 5e8 },
    Labels: { l: "1" },
    OnBuild: ["COPY a.txt /from-trigger"],
    Shell: ["/bin/sh", "-ec"],
    User: "alice",
    WorkingDir: "/d",
  });
  expect(configuration.config["Env"]).toContain("B=$A");
  const told = configuration.history.map(
    ({ created_by, empty_layer }) => `${empty_layer ? "" : "layer "}${created_by}`,
  );
  expect(told.slice(-11)).toEqual(
    [
      "ARG A=1",
      "ENV B=$A",
      "USER alice",
      "SHELL [/bin/sh -ec]",
      "EXPOSE [80/tcp 81/udp 82/udp]",
      "layer RUN |1 A=1 /bin/sh -ec touch /tmp/x # buildkit",
      "layer COPY --chown=1:2 a.txt b.txt /d/ # buildkit",
      "layer WORKDIR /d",
      "LABEL l=1",
      'CMD ["/bin/sh" "-ec" "run"]',
      "HEALTHCHECK {Test:[CMD-SHELL true] Interval:0s Timeout:0s StartPeriod:0s StartInterval:500ms Retries:0}",
    ].slice(-11),
  );

  const triggered = await image(["FROM triggering", "RUN echo $A >/tmp/a"]);
  expect(triggered.tree.get("from-trigger")).toBe('file 644 0:0 "a\\n"');
  expect(triggered.tree.get("tmp/a")).toBe('file 644 1000:1000 "\\n"');
  expect(triggered.configuration.config["OnBuild"] ?? []).toEqual([]);
});

test("an image is found by its name or its id, and not by the beginning of one", async () => {
  const { output } = await suite.user.bunker(["images", "-q", "--no-trunc", "busybox"]);
  const id = output.trim().replace("sha256:", "");
  for (const name of [id.slice(0, 12), `sha256:${id}`]) await image([`FROM ${name}`, "COPY a.txt /"]);
  const context = suite.context({ Dockerfile: `FROM ${id.slice(0, 3)}\n` });
  // Nothing is asked of a registry that is not there.
  const { status, errors } = await suite.build(context, ["--retry-delay", "10ms"], {
    environment: { HTTPS_PROXY: "http://127.0.0.1:1" },
  });
  expect({ status, errors }).toMatchObject({
    status: 1,
    errors: expect.stringContaining(`docker.io/library/${id.slice(0, 3)}`),
  });
});

test("keeps commands to the limits that are given, where the kernel or this process can", async () => {
  const context = suite.context({
    Dockerfile: "FROM busybox\nRUN dd if=/dev/zero of=/dev/null bs=150M count=1000000\n",
  });
  const { status, errors } = await suite.build(context, ["-m", "50m"]);
  expect({ status, errors }).toMatchObject({ status: 1, errors: expect.stringContaining("exit code: 137") });
  const named = suite.context({ Dockerfile: "FROM busybox\nRUN true\n" });
  const refused = await suite.build(named, ["--cgroup-parent", "/nowhere/at/all"]);
  expect(refused.status).toBe(1);
  expect(refused.errors).toMatch(/^bunker: .*make the (?:container's )?cgroup.*$/m);
  expect(await suite.build(named, ["--cgroup-parent", "heavy"])).toMatchObject({
    status: 125,
    errors: expect.stringContaining("expected a slice"),
  });
});

/** What is written wrongly, line 2 of a Dockerfile on busybox, and what is said of it. */
const MISTAKES: readonly [line: string, message: string][] = [
  ["RUNN true", "unknown instruction: RUNN (did you mean RUN?)"],
  ["FROM busybox AS 1x", 'invalid name for build stage: "1x"'],
  ["FROM --platfrm=linux/amd64 busybox", "unknown flag: --platfrm (did you mean --platform?)"],
  ["FROM $NONE", "base name ($NONE) should not be blank"],
  ["RUN <<EOF", 'unterminated heredoc: there is no line "EOF"'],
  ["RUN --mount=type=cach,target=/x true", 'unsupported mount type "cach" (did you mean cache?)'],
  ["RUN --mount=type=cache,targt=/x true", "unexpected key 'targt' in 'targt=/x' (did you mean target?)"],
  ["RUN --network=nope true", 'invalid value "nope" for --network (did you mean none?)'],
  ["RUN --security=x true", 'invalid value "x" for --security (it may be sandbox, insecure)'],
  ["COPY a", "COPY requires at least two arguments"],
  ["COPY --form=x a b", "unknown flag: --form (did you mean --from?)"],
  ["COPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe"],
  ["COPY --from=9 /x /", "invalid stage index 9: there is no such stage above"],
  ["ENV A=1 B", `can't find = in "B". Must be of the form: name=value`],
  ['ENV A="x', "unexpected end of statement while looking for matching double-quote"],
  ["ENV A=${B", "syntax error: missing '}'"],
  ["ENV A=${B:?needed}", "B: needed"],
  ["ARG =3", "ARG names can not be blank"],
  ["LABEL a", "LABEL must have two arguments"],
  ["EXPOSE 99999", 'invalid port "99999": value out of range'],
  ["HEALTHCHECK CND a", 'Unknown type "CND" in HEALTHCHECK (try CMD)'],
  ["HEALTHCHECK --interval=5 CMD a", 'invalid duration "5" for --interval'],
  ["STOPSIGNAL SIGNONE", 'read signal "SIGNONE": no such signal'],
  ["SHELL /bin/sh", "SHELL requires the arguments to be in JSON form"],
  ["ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"],
  ["USER", "USER requires exactly one argument"],
  ['VOLUME [""]', "VOLUME specified can not be an empty string"],
  ["COPY --chmod=99 a.txt /", 'read the mode "99": it is neither an octal number'],
  ["COPY --chown=nobody-here a.txt /", "unable to find user nobody-here"],
  ["COPY aa.txt /", 'find "/aa.txt": not found'],
  ["ADD --checksum=md5:1 http://127.0.0.1:1/ /", 'read the checksum "md5:1"'],
  ["RUN exit 7", "exit code: 7"],
  ["RUN --mount=type=secret,id=s,required true", "mount secret s: it is required, and was not given"],
];

test("mistakes are shown with their lines, and with what was meant", async () => {
  for (const [line, message] of MISTAKES) {
    const context = suite.context({ Dockerfile: `FROM busybox\n${line}\nCMD x\n`, "a.txt": "" });
    const { status, errors } = await suite.build(context);
    expect({ line, status, errors }).toMatchObject({ line, status: 1, errors: expect.stringContaining(message) });
    expect(errors).toContain(`   1 |     FROM busybox\n   2 | >>> ${line}\n`);
  }
});

test.each([
  [
    "through COPY",
    ["FROM busybox AS a", "COPY --from=b / /", "FROM busybox AS b", "COPY --from=a / /"],
    'stage "b" needs to be defined before',
  ],
  [
    "through mounts",
    [
      "FROM busybox AS a",
      "RUN --mount=from=b,target=/x true",
      "FROM busybox AS b",
      "RUN --mount=from=a,target=/x true",
    ],
    'stage "b" needs to be defined before',
  ],
  ["of one", ["FROM busybox AS a", "COPY --from=a /x /"], "circular dependency detected on stage: a"],
] as const)("stages in a circle are refused: %s", async (_, dockerfile, message) => {
  const { status, errors } = await suite.build(suite.context({ Dockerfile: dockerfile.join("\n") }));
  expect({ status, errors }).toMatchObject({ status: 1, errors: expect.stringContaining(`line 2: ${message}`) });
});

test("a target that is not there is named, and the nearest", async () => {
  const { errors } = await suite.build(suite.context({ Dockerfile: "FROM busybox AS wanted\n" }), [
    "--target",
    "wnted",
  ]);
  expect(errors).toContain("hint: Did you mean wanted?");
});
