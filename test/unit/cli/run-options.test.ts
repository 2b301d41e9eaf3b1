import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArguments } from "../../../src/cli/option-table.ts";
import { runOptionsOf } from "../../../src/cli/run.ts";
import { runOptionsTable } from "../../../src/cli/run-options-table.ts";
import type { RunOptions } from "../../../src/engine/specification/run-options.ts";
import { BunkerError } from "../../../src/sys/error.ts";
import { runOptions } from "../engine/specification/run-options.ts";

const syntax = {
  options: runOptionsTable,
  required: ["IMAGE"],
  optional: "[ARG...]",
  stopAtFirstOperand: true,
} as const;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-run-options-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function optionsFor(...words: string[]): Promise<RunOptions> {
  const given = parseArguments("bunker run", syntax, words);
  if (given === "help") throw new Error("help was not asked for");
  const [image, ...command] = given.operands;
  return runOptionsOf(given.options, { kind: "rootfs", path: image, overlay: false }, command);
}

const defaults: RunOptions = {
  ...runOptions(),
  mounts: [],
  image: { kind: "rootfs", path: "/image", overlay: false },
  chrootDirectories: [],
  environmentRules: { host: [], merged: [], unset: [] },
  healthAction: "none",
  hostsBase: "none",
  imageVolumes: "anonymous",
  network: "slirp",
  noHostname: false,
  noHosts: false,
  registry: {},
  readOnlyTmpfs: false,
  removesImage: false,
  replaces: false,
  secrets: [],
};

test("a platform is of images only", async () => {
  const given = parseArguments("bunker run", syntax, ["--platform=linux/arm64", "image"]);
  if (given === "help") throw new Error("help was not asked for");
  const image = { kind: "oci", path: "/layout", tag: undefined } as const;
  expect(await runOptionsOf(given.options, image, [])).toMatchObject({ platform: "linux/arm64" });
  const refused = optionsFor("--platform=linux/arm64", "/image");
  expect(refused).rejects.toThrow("conflicting options: --platform and --rootfs");
});

describe("the options of run", () => {
  test("nothing but an image is the defaults, and nothing else reaches the engine", async () => {
    expect(await optionsFor("/image")).toEqual(defaults);
  });

  test.each<[words: string[], differences: Partial<RunOptions>]>([
    [
      ["-it", "/image", "sh", "-c", "--rm"],
      {
        interactive: true,
        terminal: true,
        attached: { input: true, output: true, error: true },
        command: ["sh", "-c", "--rm"],
      },
    ],
    [["--entrypoint", "/bin/sh", "/image"], { entrypoint: ["/bin/sh"] }],
    [["--entrypoint=", "/image"], { entrypoint: [] }],
    [["-e", "A=1", "-e", "BUNKER_TEST_ABSENT", "-eB=", "/image"], { environment: ["A=1", "B="] }],
    [["-w", "/work/../srv/", "-u", "7:staff", "/image"], { workingDirectory: "/srv", user: "7:staff" }],
    [["--group-add", "audio", "--group-add=44", "/image"], { additionalGroups: ["audio", "44"] }],
    [["-h", "box", "--domainname", "example.org", "/image"], { hostname: "box", domainname: "example.org" }],
    [["--read-only", "--rm", "--init", "/image"], { readOnly: true, remove: true, init: true }],
    [["--name", "web-1", "/image"], { name: "web-1" }],
    [
      ["--cap-drop=all", "--cap-add", "net_admin", "/image"],
      { capabilitiesDropped: ["ALL"], capabilitiesAdded: ["CAP_NET_ADMIN"] },
    ],
    [
      ["--privileged", "--pid=host", "--ipc=none", "--uts=host", "--cgroupns=host", "/image"],
      { privileged: true, pidNamespace: "host", ipcNamespace: "none", utsNamespace: "host", cgroupNamespace: "host" },
    ],
    [
      ["--net=host", "--userns=keep-id:uid=7", "/image"],
      { network: "host", userNamespace: { kind: "keep-id", uid: 7, gid: undefined } },
    ],
    [["--shm-size", "1.5g", "--oom-score-adj=-5", "/image"], { sharedMemorySize: 1610612736, oomScoreAdjustment: -5 }],
    [
      ["--ulimit=nofile=1:2", "--ulimit=core=0", "--ulimit=nofile=3", "/image"],
      {
        resourceLimits: [
          { type: "RLIMIT_NOFILE", soft: 3, hard: 3 },
          { type: "RLIMIT_CORE", soft: 0, hard: 0 },
        ],
      },
    ],
    [
      ["--sysctl", "net.core.somaxconn=1", "--sysctl=net.core.somaxconn=2", "/image"],
      { sysctls: { "net.core.somaxconn": "2" } },
    ],
    [
      ["--device=/dev/fuse", "/image"],
      { devices: [{ hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "rwm" }] },
    ],
    [["--debug-launch", "/image"], { debugLaunch: true }],
    [
      [
        "--security-opt=no-new-privileges",
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt=apparmor:web",
        "--security-opt=label=type:a_t",
        "--security-opt=label=level:s0",
        "--security-opt=mask=/proc/a:/proc/b",
        "--security-opt=unmask=ALL",
        "--security-opt=systempaths=unconfined",
        "/image",
      ],
      {
        security: {
          seccomp: { kind: "unconfined" },
          noNewPrivileges: true,
          apparmorProfile: "web",
          labels: ["type:a_t", "level:s0"],
          maskedPaths: ["/proc/a", "/proc/b"],
          unmaskedPaths: ["ALL"],
          systemPathsUnconfined: true,
        },
      },
    ],
  ])("%j", async (words, differences) => {
    expect(await optionsFor(...words)).toEqual({ ...defaults, ...differences });
  });

  test("mounts of all three options come together", async () => {
    const { mounts } = await optionsFor("--tmpfs=/c", "--mount=type=tmpfs,dst=/b", "-v/:/a", "/image");
    expect(mounts.map((mount) => mount.destination)).toEqual(["/a", "/b", "/c"]);
  });

  test("two mounts cannot have one destination", async () => {
    await expect(optionsFor("--tmpfs=/a/", "-v", "/x:/a", "/image")).rejects.toThrow(
      "two mounts have the destination /a",
    );
  });

  test("environment files come before --env, wherever they stand", async () => {
    const file = join(directory, "environment");
    writeFileSync(file, "A=file\nB=file\n");
    const { environment } = await optionsFor("-e", "A=option", "--env-file", file, "/image");
    expect(environment).toEqual(["A=file", "B=file", "A=option"]);
  });

  test("a seccomp profile is read from its file, the last one given", async () => {
    const file = join(directory, "profile.json");
    writeFileSync(file, "{}");
    const { security } = await optionsFor(
      "--security-opt=seccomp=unconfined",
      `--security-opt=seccomp=${file}`,
      "/image",
    );
    expect(security.seccomp).toEqual({ kind: "profile", json: "{}" });
  });

  test.each([
    [["--env-file", "/proc/nonexistent", "/image"], "read the environment file /proc/nonexistent: ENOENT"],
    [["--security-opt", "seccomp=/proc/nonexistent", "/image"], "read the seccomp profile /proc/nonexistent: ENOENT"],
  ])("%j names the file", async (words, message) => {
    await expect(optionsFor(...words)).rejects.toThrow(message);
  });

  test("any words are understood or refused with a BunkerError, never anything else", async () => {
    const long = Object.values(runOptionsTable).map((option) => `--${option.name}`);
    const pieces = [
      ...long,
      "-",
      "--",
      "-e",
      "-itv",
      "=",
      ":",
      ",",
      "ro",
      "/a",
      "type=bind",
      "src=/x",
      "dst=/y",
      '"',
      "host",
      "1:2",
      "nofile=",
      "-1",
      "A=b",
      "\0",
      "é",
      "🐳",
      "\ud800",
      "",
      "keep-id:",
      "no-new-privileges",
      "mask=",
      "proto",
      "__proto__",
      "constructor",
      "toString=",
    ];
    // A linear congruential generator: the same words in every run.
    let state = 2;
    const below = (limit: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    const piece = () => pieces[below(pieces.length)] ?? "";
    let understood = 0;
    for (let trial = 0; trial < 20_000; trial++) {
      const words = Array.from({ length: below(5) }, () => Array.from({ length: 1 + below(3) }, piece).join(""));
      try {
        await optionsFor(...words, "/image");
        understood++;
      } catch (error) {
        if (error instanceof Error && error.message === "help was not asked for") continue;
        if (!(error instanceof BunkerError)) throw new Error(`${JSON.stringify(words)}: ${error}`, { cause: error });
        expect(error.message).not.toContain("\n");
      }
    }
    expect(understood).toBeGreaterThan(1000);
  });
});
