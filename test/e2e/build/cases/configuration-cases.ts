// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { expect } from "bun:test";
import type { ComparedCase, ExpectedCase } from "./build-case.ts";

/** What changes only the configuration of the image. */
export const CONFIGURATION_CASES: readonly ComparedCase[] = [
  {
    name: "ENV in both forms, quoted and not",
    dockerfile: ["FROM scratch", `ENV A=1 B="two words" C=a\\ b D='$A'`, `ENV E the  rest "of it"`, "ENV A=2"],
  },
  {
    name: "ENV with variables and their modifiers",
    dockerfile: [
      "FROM scratch",
      "ENV A=1 B=$A",
      "ENV F=$A-${B}x${NONE:-n}${A:+s}${A:-t}${NONE:+u} PATH=/x:$PATH",
      "ENV G=\\$A H=\"${A}\" I='${A}'",
    ],
  },
  {
    name: "LABEL in all its forms",
    dockerfile: ["FROM scratch", `LABEL v=1 "b c"="d e" f='g h'`, "LABEL i j k", `LABEL l="m\\\nn" v=2`],
  },
  { name: "--label", dockerfile: ["FROM scratch", "LABEL a=file b=file"], options: ["--label", "b=option"] },
  {
    name: "EXPOSE of ports, and protocols",
    dockerfile: ["FROM scratch", "ARG P=9000", "EXPOSE 80 443/tcp 53/udp $P"],
  },
  {
    name: "VOLUME in both forms",
    dockerfile: ["FROM busybox", "RUN mkdir /data && touch /data/kept", "VOLUME /tmp /data", 'VOLUME ["/home"]'],
  },
  { name: "USER", dockerfile: ["FROM scratch", "ARG WHO=alice", "USER ${WHO}:staff"] },
  { name: "WORKDIR that is not there", dockerfile: ["FROM scratch", "WORKDIR /a/b", "WORKDIR c"] },
  { name: "STOPSIGNAL", dockerfile: ["FROM scratch", "ARG N=USR1", "STOPSIGNAL SIG$N"] },
  { name: "MAINTAINER", dockerfile: ["FROM scratch", "MAINTAINER Me <me@x>"] },
  { name: "CMD by the shell", dockerfile: ["FROM busybox", "CMD echo $X  y"] },
  { name: "CMD of words", dockerfile: ["FROM scratch", 'CMD ["a", "b c"]'] },
  { name: "ENTRYPOINT by the shell", dockerfile: ["FROM busybox", "ENTRYPOINT exec top -b"] },
  { name: "ENTRYPOINT forgets the image's CMD", dockerfile: ["FROM busybox", 'ENTRYPOINT ["c"]'] },
  { name: "ENTRYPOINT keeps the CMD above it", dockerfile: ["FROM scratch", 'CMD ["a"]', 'ENTRYPOINT ["c"]'] },
  {
    name: "HEALTHCHECK with its flags",
    dockerfile: ["FROM scratch", 'HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=4 CMD ["a", "b"]'],
  },
  { name: "HEALTHCHECK by the shell", dockerfile: ["FROM busybox", "HEALTHCHECK CMD a || exit 1"] },
  { name: "HEALTHCHECK NONE", dockerfile: ["FROM scratch", "HEALTHCHECK CMD a", "HEALTHCHECK NONE"] },
];

export const CONFIGURATION_CASES_ALONE: readonly ExpectedCase[] = [
  {
    name: "ENV with patterns in its modifiers",
    why: "buildah does not know it",
    dockerfile: ["FROM scratch", "ENV A=a.b.c", "ENV B=${A#*.} C=${A##*.} D=${A%.*} E=${A%%.*} F=${A/./-} G=${A//./-}"],
    files: {},
    configuration: {
      Env: expect.arrayContaining(["B=b.c", "C=c", "D=a.b", "E=a", "F=a-b.c", "G=a-b-c"]),
    },
  },
  {
    name: "SHELL of CMD and ENTRYPOINT",
    why: "buildah takes the default for them",
    dockerfile: ["FROM busybox", 'SHELL ["/bin/sh", "-ec"]', "ENTRYPOINT a $b", "CMD c"],
    files: {},
    configuration: { Entrypoint: ["/bin/sh", "-ec", "a $b"], Cmd: ["/bin/sh", "-ec", "c"] },
  },
  {
    name: "EXPOSE of ranges",
    why: "buildah leaves the range as it is written",
    dockerfile: ["FROM scratch", "EXPOSE 81-83/udp 80"],
    files: {},
    configuration: { ExposedPorts: { "80/tcp": {}, "81/udp": {}, "82/udp": {}, "83/udp": {} } },
  },
  {
    name: "VOLUME that is not there",
    why: "buildah makes its directory",
    dockerfile: ["FROM scratch", 'VOLUME ["/c d"]'],
    files: {},
    configuration: { Volumes: { "/c d": {} } },
  },
  {
    name: "HEALTHCHECK --start-interval",
    why: "buildah does not know it",
    dockerfile: ["FROM scratch", 'HEALTHCHECK --start-interval=500ms CMD ["true"]'],
    files: {},
    configuration: { Healthcheck: { Test: ["CMD", "true"], StartInterval: 5e8 } },
  },
];
