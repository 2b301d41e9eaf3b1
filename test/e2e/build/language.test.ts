// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
/*
 * Every instruction and flag of the Dockerfile language, built by Bunker as an ordinary user and, where Debian's buildah
 * knows it, by buildah as root from the same files: configurations and trees of files have to be the same.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { ARCHITECTURE } from "../../fixtures/images.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { output } from "../../unprivileged-user.ts";
import { Buildah } from "./buildah.ts";
import { readImage, type WrittenImage } from "./image-on-disk.ts";
import { buildSuite } from "./suite.ts";

const suite = buildSuite();
let buildah: Buildah;

beforeAll(async () => {
  buildah = await Buildah.start();
}, 60_000);

afterAll(() => buildah?.[Symbol.dispose]());

/** The context of all cases: files of several kinds, and archives. */
const FILES = {
  "a.txt": "a\n",
  "b.txt": "b\n",
  "with blank": "blank\n",
  "dir/inner/deep": "deep\n",
  "dir/one": "1\n",
  "dir/two": "2\n",
  "script.sh": "#!/bin/sh\necho script\n",
  "ignored.log": "log\n",
  ".dockerignore": "# comment\n*.log\nDockerfile*\n.dockerignore\nsecret\n",
  secret: "s3cret\n",
};

let directory: string;

beforeAll(() => {
  directory = suite.context(FILES);
  directoryOfResults = suite.user.makeDirectory("results");
  chmodSync(`${directory}/script.sh`, 0o755);
  chmodSync(`${directory}/dir/two`, 0o600);
  chmodSync(`${directory}/dir/inner`, 0o750);
  symlinkSync("one", `${directory}/dir/link`);
  const members = archive([
    { name: "packed/", type: "5", mode: 0o700, uid: 7, gid: 8 },
    { name: "packed/file", content: "packed\n", mode: 0o640, uid: 7, gid: 8 },
  ]);
  writeFileSync(`${directory}/archive.tar.gz`, gzipSync(members));
  mkdirSync(`${directory}/empty`);
  output(["chown", "-Rh", suite.user.name, directory]);
});

interface Case {
  readonly dockerfile: string;
  readonly options?: readonly string[];
}

let count = 0;
let directoryOfResults: string;

async function buildHere({ dockerfile, options = [] }: Case, tag?: string): Promise<WrittenImage> {
  const file = `${suite.user.directory}/Dockerfile-${count}`;
  const result = `${directoryOfResults}/${count++}`;
  writeFileSync(file, dockerfile);
  const outputs = ["-o", `type=oci,tar=false,dest=${result}`, ...(tag === undefined ? [] : ["--load", "-t", tag])];
  await suite.built(directory, ["-f", file, ...outputs, ...options], { directory });
  const image = readImage(result);
  rmSync(result, { recursive: true });
  return image;
}

function buildThere({ dockerfile, options = [] }: Case): Promise<WrittenImage> {
  const file = `${suite.user.directory}/Dockerfile-there`;
  writeFileSync(file, dockerfile);
  return buildah.build(directory, ["-f", file, ...options]);
}

/** What buildah leaves of mounts for RUN, and BuildKit does not. */
const STUB = /^(?:etc\/(?:resolv\.conf|hosts|hostname): file 755 0:0 ""|run: directory 755 0:0)$/;

/** What two builders have to agree on; buildah notes the name of the machine, and does not say that / is /. */
function comparable({ configuration, tree }: WrittenImage) {
  const { config, architecture, os, author } = configuration;
  const { Hostname: _, WorkingDir, Env, ...rest } = config;
  const place = WorkingDir === "/" ? {} : { WorkingDir };
  // A variable that is set again keeps its place here, as in Docker.
  const environment = { Env: Array.isArray(Env) ? Env.toSorted() : Env };
  const told = Object.entries({ ...rest, ...place, ...environment }).filter(([, value]) => !isNothing(value));
  return {
    config: Object.fromEntries(told.sort(([one], [other]) => (one < other ? -1 : 1))),
    platform: `${os}/${architecture}`,
    author: author ?? "",
    tree: [...tree]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([path, what]) => `${path}: ${what}`)
      .filter((line) => !STUB.test(line)),
  };
}

/** Go leaves out what is empty, or writes it as null. */
function isNothing(value: unknown): boolean {
  if (value === null || value === "" || value === false) return true;
  return typeof value === "object" && Object.keys(value ?? {}).length === 0;
}

async function expectSame(each: Case): Promise<void> {
  const [here, there] = await Promise.all([buildHere(each), buildThere(each)]);
  expect(comparable(here)).toEqual(comparable(there));
}

describe("as buildah builds it", () => {
  test.each<[string, Case]>([
    [
      "COPY",
      {
        dockerfile: [
          "FROM busybox",
          "COPY a.txt /files/a",
          "COPY *.txt dir/t* /wild/",
          "COPY ?.txt /one/",
          "COPY dir /directory",
          "COPY dir/inner dir/one /several/",
          "COPY . /all/",
          'COPY ["with blank", "a.txt", "/x y/"]',
          "COPY --chown=alice:staff dir /alice",
          "COPY --chown=7:8 a.txt /numbers/a",
          "COPY --chown=alice b.txt /group",
          "COPY --chmod=640 a.txt script.sh /mode/",
          "WORKDIR /w/x",
          "COPY a.txt .",
          "COPY b.txt ../c",
          "COPY dir ./d/",
        ].join("\n"),
      },
    ],
    [
      "COPY --from, and only what the target needs",
      {
        dockerfile: [
          "FROM busybox AS one",
          "RUN echo 1 >/one && chown 5:6 /one",
          "FROM busybox AS two",
          "RUN mkdir -m 700 /two && touch /two/x",
          "FROM busybox AS broken",
          "RUN false",
          "FROM scratch AS wanted",
          "ENV PATH=/x A=1",
          "COPY --from=one /one /from/",
          "COPY --from=1 /two /two",
          "COPY --from=busybox /etc/passwd /bin/busybox /x/",
          "FROM broken",
        ].join("\n"),
        options: ["--target", "wanted"],
      },
    ],
    ["ADD", { dockerfile: "FROM busybox\nADD archive.tar.gz /x/\nADD a.txt /y\nADD --chown=1:2 dir /z" }],
    [
      "RUN, with USER, WORKDIR and SHELL",
      {
        dockerfile: [
          "FROM busybox",
          `RUN echo "$PATH" >/path && rm -r /home/alice && chmod 711 /root`,
          'RUN ["touch", "/with space", "$PATH"]',
          "RUN rm /path; ln -s x /link; ln /etc/passwd /hard; mkdir -m 1777 /sticky",
          "WORKDIR /w",
          "USER alice",
          "WORKDIR sub",
          "RUN id -u >/tmp/id; pwd >>/tmp/id",
          "USER 7:8",
          "RUN id -g >/tmp/g",
          "USER root",
          'SHELL ["/bin/sh", "-ec"]',
          "RUN echo $- >/x",
        ].join("\n"),
      },
    ],
    [
      "RUN --mount",
      {
        dockerfile: [
          "FROM busybox AS base",
          "RUN mkdir /b && echo b >/b/c",
          "FROM busybox",
          "RUN --mount=type=bind,source=dir,target=/m cat /m/one >/x",
          "RUN --mount=type=bind,from=base,source=/b,target=/m cp /m/c /y",
          "RUN --mount=type=cache,id=language-1,target=/m echo 1 >/m/x && cat /m/x >/z",
          "RUN --mount=type=tmpfs,target=/m touch /m/x && grep -c ' /m tmpfs' /proc/mounts >/t",
        ].join("\n"),
      },
    ],
    [
      "ENV, ARG and LABEL",
      {
        dockerfile: [
          "ARG TAG=busybox",
          "ARG V=global",
          "FROM $TAG",
          `ENV A=1 B="two words" C=a\\ b D='$A'`,
          `ENV E the  rest "of it"`,
          "ENV F=$A-${B}x${NONE:-n}${A:+s} PATH=/x:$PATH",
          "ARG V",
          'ARG W="d $V"',
          "ARG GIVEN=no",
          'RUN ["/bin/sh", "-c", "/bin/echo $V $W $GIVEN $TAG >/x"]',
          "ENV W=env",
          'RUN ["/bin/sh", "-c", "/bin/echo $W >>/x"]',
          `LABEL v=$V given=$GIVEN "b c"="d e" f='g h'`,
          "LABEL i j k",
          `LABEL l="m\\\nn"`,
        ].join("\n"),
        options: ["--build-arg", "GIVEN=yes"],
      },
    ],
    [
      "what only changes the configuration",
      {
        dockerfile: [
          "# escape=`",
          "",
          "FROM busybox",
          "  run mkdir `",
          "  # comment",
          '     "/c d"',
          "# end",
          "ARG P=9000",
          "EXPOSE 80 443/tcp 53/udp $P",
          "VOLUME /tmp /var",
          'VOLUME ["/c d"]',
          "ENTRYPOINT exec top -b",
          "CMD echo $X",
          'HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=4 CMD ["a", "b"]',
          "STOPSIGNAL SIGUSR1",
          "MAINTAINER Me <me@x>",
          "USER alice:staff",
        ].join("\n"),
      },
    ],
    [
      "commands as words",
      { dockerfile: 'FROM busybox\nCMD ["a", "b"]\nENTRYPOINT ["c"]\nHEALTHCHECK CMD a\nHEALTHCHECK NONE' },
    ],
    ["ENTRYPOINT that forgets the image's CMD", { dockerfile: 'FROM busybox\nENTRYPOINT ["c"]' }],
  ])("%s", (_, each) => expectSame(each));
});

/** Builds, and looks at some paths of the image. */
async function expectFiles(each: Case, files: Readonly<Record<string, string | undefined>>): Promise<WrittenImage> {
  const image = await buildHere(each);
  expect(Object.fromEntries(Object.keys(files).map((path) => [path, image.tree.get(path)]))).toEqual(files);
  return image;
}

describe("what buildah does not know, or does otherwise", () => {
  test.each<[string, Case, Readonly<Record<string, string | undefined>>]>([
    [
      "RUN with heredocs",
      {
        dockerfile: [
          "FROM busybox",
          "RUN <<EOF",
          "echo $0 >/a",
          "echo $PATH | wc -c >>/a",
          "EOF",
          "RUN cat <<-'EOF' >/b",
          "\t$x",
          "\tEOF",
          "RUN <<script",
          '#!/bin/awk BEGIN { print 1 > "/c" }',
          "script",
          "RUN cat <<ONE >/d; cat <<TWO >>/d",
          "1",
          "ONE",
          "2",
          "TWO",
        ].join("\n"),
      },
      {
        a: 'file 644 0:0 "/bin/sh\\n61\\n"',
        b: 'file 644 0:0 "$x\\n"',
        c: 'file 644 0:0 "1\\n"',
        d: 'file 644 0:0 "1\\n2\\n"',
      },
    ],
    [
      "COPY with heredocs",
      {
        dockerfile: [
          "FROM scratch",
          "ARG A=value",
          "COPY --chmod=600 <<one <<-'two' a.txt /to/",
          "$A ${A:+set} \\$A 'quoted'",
          "one",
          "\t$A",
          "two",
          "COPY <<one /named",
          "one",
        ].join("\n"),
      },
      {
        "to/one": `file 600 0:0 "value set $A 'quoted'\\n"`,
        "to/two": 'file 600 0:0 "$A\\n"',
        "to/a.txt": 'file 600 0:0 "a\\n"',
        named: 'file 644 0:0 ""',
      },
    ],
    [
      "flags of COPY and ADD",
      {
        dockerfile: [
          "FROM busybox",
          "RUN ln -s /home /x",
          "COPY --parents dir/inner/deep ./dir/./one /p/",
          "COPY --exclude=**/deep --exclude=t* dir /e/",
          "COPY --link --chown=3:4 a.txt /y/z",
          "COPY --chmod=u=rwX,go=rX dir /d",
          "ADD --unpack=false archive.tar.gz /a",
          "ADD --unpack archive.tar.gz /b/",
        ].join("\n"),
      },
      {
        "p/dir/inner/deep": 'file 644 0:0 "deep\\n"',
        "p/one": 'file 644 0:0 "1\\n"',
        "e/one": 'file 644 0:0 "1\\n"',
        "e/two": undefined,
        "e/inner": "directory 750 0:0",
        "e/inner/deep": undefined,
        y: "directory 755 3:4",
        "y/z": 'file 644 3:4 "a\\n"',
        "d/two": 'file 644 0:0 "2\\n"',
        "d/inner": "directory 755 0:0",
        "b/packed/file": 'file 640 7:8 "packed\\n"',
        "a/packed": undefined,
      },
    ],
    [
      "RUN --mount=type=secret",
      {
        dockerfile: [
          "FROM busybox",
          "RUN --mount=type=secret,id=s cat /run/secrets/s >/a",
          "RUN --mount=type=secret,id=s,env=S,required --mount=type=secret,id=s,target=/t/k,mode=440,uid=5 \\",
          '  echo "$S" >/b; stat -c "%a %u" /t/k >>/b',
          "RUN --mount=type=secret,id=none test ! -e /run/secrets/none",
        ].join("\n"),
        options: ["--secret", "id=s,src=secret"],
      },
      {
        a: 'file 644 0:0 "s3cret\\n"',
        b: 'file 644 0:0 "s3cret\\n\\n440 5\\n"',
        "run/secrets": undefined,
        t: undefined,
      },
    ],
    [
      "RUN --network and --security",
      {
        dockerfile: [
          "FROM busybox",
          "RUN --network=none ip -o link | wc -l >/a",
          "RUN --security=insecure grep Seccomp: /proc/self/status | cut -f2 >/b",
        ].join("\n"),
        options: ["--allow", "security.insecure"],
      },
      { a: 'file 644 0:0 "1\\n"', b: 'file 644 0:0 "0\\n"' },
    ],
    [
      "arguments of platforms, and those of the stage below",
      {
        dockerfile: [
          "FROM --platform=$BUILDPLATFORM busybox AS below",
          "ARG OF_BELOW=1 TARGETOS",
          "FROM below",
          "ARG TARGETPLATFORM BUILDOS",
          'RUN echo "$OF_BELOW $TARGETOS $TARGETPLATFORM $BUILDOS $TARGETARCH" >/a',
        ].join("\n"),
      },
      { a: `file 644 0:0 "1 linux linux/${ARCHITECTURE} linux \\n"` },
    ],
    [
      "--build-context",
      {
        dockerfile: "FROM named\nCOPY --from=other one /a\nRUN --mount=type=bind,from=other,target=/m cat /m/two >/b",
        options: ["--build-context", "named=docker-image://busybox", "--build-context", "other=dir"],
      },
      { a: 'file 644 0:0 "1\\n"', b: 'file 644 0:0 "2\\n"' },
    ],
  ])("%s", async (_, each, files) => {
    await expectFiles(each, files);
  });

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
    ].join("\n");
    const { configuration } = await buildHere({ dockerfile }, "triggering");
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

    const triggered = await expectFiles(
      { dockerfile: "FROM triggering\nRUN echo $A >/tmp/a" },
      { "from-trigger": 'file 644 0:0 "a\\n"', "tmp/a": 'file 644 1000:1000 "\\n"' },
    );
    expect(triggered.configuration.config["OnBuild"] ?? []).toEqual([]);
  });

  test("mistakes are shown with their lines", async () => {
    const file = `${suite.user.directory}/Dockerfile-wrong`;
    const mistake = async (dockerfile: string, ...options: string[]) => {
      writeFileSync(file, dockerfile);
      const { status, errors } = await suite.build(directory, ["-f", file, ...options]);
      expect(status).toBe(1);
      return errors;
    };
    const unknown = await mistake("FROM busybox\nRUNN true\nCMD x");
    expect(unknown).toContain("   1 |     FROM busybox\n   2 | >>> RUNN true\n   3 |     CMD x\n");
    expect(unknown).toContain("bunker: read Dockerfile-wrong: line 2: unknown instruction: RUNN (did you mean RUN?)\n");
    expect(await mistake("FROM busybox\nCOPY missing /x")).toContain("   2 | >>> COPY missing /x\n");
    expect(await mistake("FROM busybox\nRUN exit 7")).toContain("exit code: 7");
    expect(await mistake("FROM busybox AS a\nCOPY --from=b / /\nFROM busybox AS b\nCOPY --from=a / /")).toContain(
      'line 2: stage "b" needs to be defined before the current stage',
    );
    expect(await mistake("FROM busybox AS wanted", "--target", "wnted")).toContain("hint: Did you mean wanted?");
    expect(await mistake("FROM busybox\nRUN --mount=type=secret,id=s,required true")).toContain(
      "   2 | >>> RUN --mount",
    );
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
