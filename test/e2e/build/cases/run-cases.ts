// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import type { ComparedCase, ExpectedCase } from "./build-case.ts";

/** RUN with its forms, flags and mounts, and what it takes over from USER, WORKDIR and SHELL. */
export const RUN_CASES: readonly ComparedCase[] = [
  { name: "RUN by the shell", dockerfile: ["FROM busybox", 'RUN echo "$PATH" >/path && \\', "  echo 'a  b' >>/path"] },
  { name: "RUN of words", dockerfile: ["FROM busybox", 'RUN ["touch", "/with space", "/$PATH", "/\\u00e9"]'] },
  {
    name: "RUN that takes away, and puts other things in the place",
    dockerfile: [
      "FROM busybox",
      "RUN mkdir -p /d/e && touch /d/f /d/e/g && echo x >/file",
      "RUN rm -r /home/alice /d && mkdir /d && touch /d/new && rm /file && mkdir /file && chmod 711 /root",
    ],
  },
  {
    name: "RUN that makes links, fifos and devices' names, with all modes",
    dockerfile: [
      "FROM busybox",
      "RUN ln -s /none /link; ln /etc/passwd /hard; chmod 4111 /hard; mkdir -m 1777 /sticky; mkfifo -m 620 /fifo; touch /é",
      "RUN touch /setuid && chmod 6755 /setuid && chown 5:6 /fifo && chown -h 7:8 /link",
    ],
  },
  {
    name: "USER of RUN: by name, with group, by numbers",
    dockerfile: [
      "FROM busybox",
      ...["USER alice", "RUN id -u >/tmp/name; id -G >>/tmp/name"],
      ...["USER alice:staff", "RUN id -g >/tmp/group"],
      ...["USER 7:8", "RUN id -u >/tmp/numbers; id -g >>/tmp/numbers"],
    ],
  },
  {
    name: "WORKDIR of RUN: absolute, relative, made as root",
    dockerfile: [
      "FROM busybox",
      "WORKDIR /w",
      "USER alice",
      "WORKDIR sub/../x",
      "ENV D=y",
      "WORKDIR $D",
      "RUN pwd >/tmp/pwd",
      "WORKDIR /tmp",
    ],
  },
  {
    name: "SHELL of RUN",
    dockerfile: ["FROM busybox", 'SHELL ["/bin/sh", "-ec"]', "RUN echo $- >/x"],
  },
  {
    name: "the environment of RUN",
    dockerfile: [
      "FROM busybox",
      "ARG A=argument",
      "ENV B=variable",
      "RUN env | grep -e ^A= -e ^B= -e ^PATH= | sort >/environment",
    ],
  },
  {
    name: "RUN --mount=type=bind of the context",
    dockerfile: ["FROM busybox", "WORKDIR /w", "RUN --mount=type=bind,source=dir,target=/w/m cat /w/m/one >/x"],
  },
  {
    name: "RUN --mount=type=bind of a stage",
    dockerfile: [
      "FROM busybox AS base",
      "RUN mkdir /b && echo b >/b/c",
      "FROM busybox",
      "RUN --mount=type=bind,from=base,source=/b,target=/m cp /m/c /y",
    ],
  },
  {
    name: "RUN --mount=type=cache",
    dockerfile: [
      "FROM busybox",
      "RUN --mount=type=cache,id=cases,target=/m echo 1 >/m/x && cat /m/x >/z",
      "RUN --mount=type=cache,id=cases,target=/n cat /n/x >/y",
    ],
  },
  {
    name: "RUN --mount=type=tmpfs",
    dockerfile: ["FROM busybox", "RUN --mount=type=tmpfs,target=/m touch /m/x && grep -c ' /m tmpfs' /proc/mounts >/t"],
  },
];

export const RUN_CASES_ALONE: readonly ExpectedCase[] = [
  {
    name: "RUN with a heredoc as its script",
    why: "buildah has no heredocs",
    dockerfile: ["FROM busybox", "RUN <<EOF", "echo $0 >/a", "echo $PATH | wc -c >>/a", "EOF"],
    files: { a: 'file 644 0:0 "/bin/sh\\n61\\n"' },
  },
  {
    name: "RUN with a heredoc for another interpreter",
    why: "buildah has no heredocs",
    dockerfile: ["FROM busybox", "RUN <<script", '#!/bin/awk BEGIN { print 1 > "/c" }', "script"],
    files: { c: 'file 644 0:0 "1\\n"' },
  },
  {
    name: "RUN with heredocs of the shell's",
    why: "buildah has no heredocs",
    dockerfile: [
      "FROM busybox",
      ...["RUN cat <<-'EOF' >/b", "\t$x", "\tEOF"],
      ...["RUN cat <<ONE >/d; cat <<TWO >>/d", "1", "ONE", "2", "TWO"],
    ],
    files: { b: 'file 644 0:0 "$x\\n"', d: 'file 644 0:0 "1\\n2\\n"' },
  },
  {
    name: "RUN --mount=type=bind that may be written to, and whose changes are nowhere",
    why: "buildah changes the files of the context",
    dockerfile: [
      "FROM busybox",
      "RUN --mount=target=/all,readwrite echo changed >/all/a.txt && cp /all/a.txt /y",
      "COPY a.txt /z",
    ],
    files: { y: 'file 644 0:0 "changed\\n"', z: 'file 644 0:0 "a\\n"' },
  },
  {
    name: "RUN --mount=type=secret",
    why: "buildah leaves the directories of secrets in the image",
    dockerfile: [
      "FROM busybox",
      "RUN --mount=type=secret,id=s cat /run/secrets/s >/a",
      "RUN --mount=type=secret,id=s,env=S,required --mount=type=secret,id=s,target=/t/k,mode=440,uid=5 \\",
      '  echo "$S" >/b; stat -c "%a %u" /t/k >>/b',
      "RUN --mount=type=secret,id=none test ! -e /run/secrets/none",
    ],
    options: ["--secret", "id=s,src=secret"],
    files: { a: 'file 644 0:0 "s3cret\\n"', b: 'file 644 0:0 "s3cret\\n\\n440 5\\n"' },
  },
  {
    name: "RUN --mount=type=cache and tmpfs with all their options",
    why: "buildah fills no cache from a stage",
    dockerfile: [
      "FROM busybox AS filled",
      "RUN mkdir /f && echo filled >/f/x",
      "FROM busybox",
      "RUN --mount=type=cache,id=full,target=/m,from=filled,source=/f,uid=5,gid=6,mode=0750,sharing=private \\",
      "  --mount=type=tmpfs,target=/t,size=64k stat -c \"%a %u:%g\" /m >/a && cat /m/x >>/a && df -k /t | awk 'END { print $2 }' >>/a",
      "RUN --mount=type=cache,id=full,target=/m,ro,sharing=locked test ! -w /m/x || ! touch /m/y 2>/dev/null",
    ],
    files: { a: 'file 644 0:0 "750 5:6\\nfilled\\n64\\n"' },
  },
  {
    name: "what --build-arg says to the builder",
    why: "buildah does not know it",
    dockerfile: [
      "FROM busybox",
      "RUN --mount=type=cache,id=named,target=/m hostname >/h; touch /m/x",
      "ARG SOURCE_DATE_EPOCH",
      "RUN echo $SOURCE_DATE_EPOCH ${BUILDKIT_SYNTAX:-none} >>/h",
    ],
    options: [
      ...["BUILDKIT_SANDBOX_HOSTNAME=other", "BUILDKIT_CACHE_MOUNT_NS=mine", "SOURCE_DATE_EPOCH=7"],
      ...["BUILDKIT_SYNTAX=docker/dockerfile:1", "BUILDKIT_MULTI_PLATFORM=0"],
    ].flatMap((text) => ["--build-arg", text]),
    files: { h: 'file 644 0:0 "other\\n7 none\\n"' },
  },
  {
    name: "RUN --network=none has no network",
    why: "buildah's isolation by chroot has that of the host",
    dockerfile: ["FROM busybox", "RUN --network=none ip -o link | wc -l >/a"],
    files: { a: 'file 644 0:0 "1\\n"' },
  },
  {
    name: "RUN --network=host, permitted",
    why: "buildah has no --allow",
    dockerfile: ["FROM busybox", "RUN --network=host test $(ip -o link | wc -l) -gt 0 && echo host >/a"],
    options: ["--allow", "network.host"],
    files: { a: 'file 644 0:0 "host\\n"' },
  },
  {
    name: "RUN --security=insecure, permitted",
    why: "buildah has no --security",
    dockerfile: [
      "FROM busybox",
      "RUN --security=insecure grep Seccomp: /proc/self/status | cut -f2 >/b",
      "RUN grep Seccomp: /proc/self/status | cut -f2 >/c",
    ],
    options: ["--allow", "security.insecure"],
    files: { b: 'file 644 0:0 "0\\n"', c: 'file 644 0:0 "2\\n"' },
  },
  {
    name: "--add-host, --ulimit and --shm-size",
    why: "buildah's isolation by chroot knows no limits and mounts",
    dockerfile: [
      "FROM busybox",
      "RUN grep example /etc/hosts >/x; ulimit -n >>/x; df -k /dev/shm | awk 'END { print $2 }' >>/x",
    ],
    options: ["--add-host", "example:10.1.2.3", "--ulimit", "nofile=100:200", "--shm-size", "10m"],
    files: { x: 'file 644 0:0 "10.1.2.3\\texample\\n100\\n10240\\n"' },
  },
];
