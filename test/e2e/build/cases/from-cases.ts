// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { expect } from "bun:test";
import { ARCHITECTURE } from "../../../fixtures/images.ts";
import type { ComparedCase, ExpectedCase } from "./build-case.ts";

/** FROM, ARG and ONBUILD, and how a file is divided into instructions. */
export const FROM_CASES: readonly ComparedCase[] = [
  { name: "FROM scratch", dockerfile: ["FROM scratch", "COPY a.txt /"] },
  { name: "FROM an image, and nothing else", dockerfile: ["FROM busybox"] },
  {
    name: "FROM what arguments say",
    dockerfile: ["ARG NAME=busy", "ARG TAG", "FROM ${NAME}box${TAG:+:$TAG}", "COPY a.txt /"],
    options: ["--build-arg", "TAG=latest"],
  },
  {
    name: "FROM --platform",
    dockerfile: [
      "FROM --platform=$BUILDPLATFORM busybox AS one",
      "RUN echo 1 >/x",
      "FROM scratch",
      "COPY --from=one x /",
    ],
  },
  {
    name: "--target, and only what it needs",
    dockerfile: [
      "FROM busybox AS broken",
      "RUN false",
      "FROM busybox AS made",
      "RUN echo 1 >/x",
      "FROM scratch AS wanted",
      "COPY --from=made x /",
      "FROM broken",
    ],
    options: ["--target", "wanted"],
  },
  {
    name: "comments, continued lines, another escape character, and any case",
    dockerfile: [
      "# escape=`",
      "",
      "from busybox",
      "  run mkdir `",
      "  # comment",
      "",
      '     "/c d"',
      "# end",
      "Env A=1",
    ],
  },
  {
    name: "ARG with and without defaults, given and not",
    dockerfile: [
      "FROM busybox",
      "ARG DEFAULT=d",
      "ARG GIVEN=no",
      "ARG NONE",
      "ARG FROM_OTHER=${DEFAULT}x",
      "RUN echo $DEFAULT-$GIVEN-$NONE-$FROM_OTHER >/x",
      "LABEL all=$DEFAULT-$GIVEN-$NONE-$FROM_OTHER",
    ],
    options: ["--build-arg", "GIVEN=yes"],
  },
  {
    name: "ARG of another stage, and above all stages",
    dockerfile: [
      "ARG V=global",
      "ARG W=hidden",
      "FROM busybox AS one",
      "ARG ONLY=here",
      "FROM busybox",
      "ARG V",
      'RUN ["/bin/sh", "-c", "echo $V-$W-$ONLY >/x"]',
      "LABEL v=$V w=$W only=$ONLY",
    ],
  },
  {
    name: "ARG that ENV overrides",
    dockerfile: ["FROM busybox", "ARG A=arg B=arg", "ENV A=env", "RUN echo $A $B >/x", "LABEL a=$A"],
    options: ["--build-arg", "A=given"],
  },
  {
    name: "ONBUILD, with triggers of several kinds",
    dockerfile: ["FROM busybox", "ONBUILD COPY a.txt /from-trigger", "ONBUILD RUN  echo  x >/y", "ONBUILD ENV A=$B"],
  },
];

export const FROM_CASES_ALONE: readonly ExpectedCase[] = [
  {
    name: "FROM a stage, with all that it says",
    why: "buildah fails: history lists 2 non-empty layers, but we have 3 layers on disk",
    dockerfile: [
      "FROM busybox AS one",
      "ENV A=1",
      "LABEL l=1",
      "USER alice",
      'CMD ["x"]',
      "RUN echo one >/tmp/one",
      "FROM one",
      "RUN echo $A $(id -u) $(pwd) >/tmp/two",
      "LABEL m=2",
    ],
    files: { "tmp/one": 'file 644 1000:1000 "one\\n"', "tmp/two": 'file 644 1000:1000 "1 1000 /\\n"' },
    configuration: { Labels: { l: "1", m: "2" }, User: "alice", Cmd: ["x"] },
  },
  {
    name: "TARGETSTAGE",
    why: "buildah does not know it",
    dockerfile: ["FROM busybox AS one", "ARG TARGETSTAGE", "RUN echo $TARGETSTAGE >/x", "FROM busybox"],
    options: ["--target", "one"],
    files: { x: 'file 644 0:0 "one\\n"' },
  },
  {
    name: "another escape character in words",
    why: "buildah goes on with the backslash there",
    dockerfile: ["# escape=`", "FROM scratch", "ENV A=`$x B=c:\\d"],
    files: {},
    configuration: { Env: expect.arrayContaining(["A=$x", "B=c:\\d"]) },
  },
  {
    name: "ONBUILD of a stage is done by the stage above",
    why: "buildah does not do the triggers of stages",
    dockerfile: ["FROM busybox AS one", "ONBUILD COPY a.txt /from-trigger", "FROM one", "RUN cat /from-trigger >/x"],
    files: { "from-trigger": 'file 644 0:0 "a\\n"', x: 'file 644 0:0 "a\\n"' },
  },
  {
    name: "a trigger that copies out of another stage, RUN in its sandbox, a signal of real time",
    why: "buildah does not do the triggers of stages, and does not know --security",
    dockerfile: [
      "FROM busybox AS made",
      "RUN --security=sandbox --network=none echo made >/made",
      "FROM busybox AS one",
      "ARG N=3",
      "STOPSIGNAL SIGRTMIN+$N",
      "ONBUILD COPY --from=made /made /from-trigger",
      "FROM one",
    ],
    files: { "from-trigger": 'file 644 0:0 "made\\n"' },
    configuration: { StopSignal: "SIGRTMIN+3" },
  },
  {
    name: "arguments of platforms, and those of the stage below",
    why: "buildah forgets the arguments of the stage below",
    dockerfile: [
      "FROM busybox AS below",
      "ARG OF_BELOW=1 TARGETOS",
      "FROM below",
      "ARG TARGETPLATFORM BUILDOS",
      'RUN echo "$OF_BELOW $TARGETOS $TARGETPLATFORM $BUILDOS $TARGETARCH" >/a',
    ],
    files: { a: `file 644 0:0 "1 linux linux/${ARCHITECTURE} linux \\n"` },
  },
  {
    name: "arguments that are known without ARG, and are not in the image",
    why: "buildah has no value for them in RUN unless they are in its own environment",
    dockerfile: ["FROM busybox", "RUN echo $no_proxy >/x", "LABEL proxy=$NO_PROXY"],
    options: ["--build-arg", "no_proxy=example.org"],
    files: { x: 'file 644 0:0 "example.org\\n"' },
    configuration: { Labels: { proxy: "" } },
  },
  {
    name: "--build-context for a stage, an image, and files",
    why: "buildah takes a directory only by its absolute path",
    dockerfile: ["FROM named", "COPY --from=other one /a", "RUN --mount=from=other,target=/m cat /m/two >/b"],
    options: ["--build-context", "named=docker-image://busybox", "--build-context", "other=dir"],
    files: { a: 'file 644 0:0 "1\\n"', b: 'file 644 0:0 "2\\n"' },
  },
];
