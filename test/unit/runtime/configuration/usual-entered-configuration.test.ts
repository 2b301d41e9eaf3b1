import { describe, expect, test } from "bun:test";
import { parseEnteredConfiguration } from "../../../../src/runtime/configuration/configuration.ts";
import { usualEnteredConfiguration } from "../../../../src/runtime/configuration/usual-entered-configuration.ts";
import { withMember } from "./whole-configuration.ts";

/** As Bunker writes it for a container with a terminal; of what does not matter here, a part. */
const usual = {
  ociVersion: "1.2.1",
  process: {
    terminal: true,
    consoleSize: { height: 24, width: 80 },
    user: { uid: 0, gid: 0, umask: 0o22, additionalGids: [0, 10] },
    args: ["/bin/sh", "-c", "true"],
    env: ["PATH=/usr/bin:/bin", "EMPTY=", "TWO=a=b"],
    cwd: "/",
    capabilities: {
      bounding: ["CAP_CHOWN"],
      effective: ["CAP_CHOWN"],
      inheritable: [],
      permitted: ["CAP_CHOWN", "CAP_OF_TOMORROW"],
      ambient: [],
    },
    rlimits: [],
    noNewPrivileges: false,
    apparmorProfile: "profile",
    selinuxLabel: "label",
    oomScoreAdj: -1000,
  },
  root: { path: "/somewhere/root", readonly: false },
  mounts: [{ destination: "/proc", type: "proc", source: "proc", options: ["nosuid"] }],
  annotations: { "run.oci.keep_original_groups": "1" },
  linux: {
    namespaces: [{ type: "user" }, { type: "network", path: "/run/netns/n" }],
    uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    maskedPaths: ["/proc/kcore"],
    resources: { memory: { limit: 2 ** 60 } },
  },
};

function read(configuration: unknown) {
  return usualEnteredConfiguration(JSON.stringify(configuration));
}

describe("usualEnteredConfiguration", () => {
  test.each([
    ["the usual", usual],
    ["a process that has only what it must", { process: { args: ["a"], cwd: "/", user: { uid: 1, gid: 2 } } }],
    ["no annotations", withMember(usual, ["annotations"], undefined)],
    ["no namespaces", withMember(usual, ["linux"], {})],
  ])("reads %s as the schemas do", (_, configuration) => {
    const { linux, ...others } = parseEnteredConfiguration(JSON.stringify(configuration), "/c");
    expect(read(configuration)).toEqual({ annotations: {}, ...others, linux: { namespaces: [], ...linux } });
  });

  test.each([
    ["process", undefined],
    ["process", null],
    ["process", []],
    ["process.args", []],
    ["process.args", "sh"],
    ["process.args", ["a\0b"]],
    ["process.args", { length: 1 }],
    ["process.cwd", undefined],
    ["process.cwd", "tmp"],
    ["process.env", ["PATH"]],
    ["process.env", ["=x"]],
    ["process.env", [1]],
    ["process.user", undefined],
    ["process.user", { uid: 0 }],
    ["process.user.uid", 0xffff_ffff],
    ["process.user.uid", -1],
    ["process.user.gid", 1.5],
    ["process.user.gid", "0"],
    ["process.user.umask", 0o1000],
    ["process.user.additionalGids", [0xffff_ffff]],
    ["process.terminal", 1],
    ["process.terminal", null],
    ["process.noNewPrivileges", "false"],
    ["process.consoleSize", { height: 24 }],
    ["process.consoleSize.width", 65_536],
    ["process.capabilities", []],
    ["process.capabilities.bounding", "CAP_CHOWN"],
    ["process.capabilities.bounding", [1]],
    ["process.capabilities.others", []],
    ["process.rlimits", [{ type: "RLIMIT_NOFILE", soft: 1, hard: 1 }]],
    ["process.rlimits", {}],
    ["process.scheduler", { policy: "SCHED_BATCH" }],
    ["process.ioPriority", { class: "IOPRIO_CLASS_IDLE" }],
    ["process.execCPUAffinity", { initial: "0" }],
    ["process.apparmorProfile", null],
    ["process.oomScoreAdj", 1001],
    ["process.constructor", "x"],
    ["annotations", []],
    ["annotations", { a: 1 }],
    ["annotations", { "": "a" }],
    ["linux", "linux"],
    ["linux.namespaces", {}],
    ["linux.namespaces", [{ type: "users" }]],
    ["linux.namespaces", [{ type: "toString" }]],
    ["linux.namespaces", [{ type: "user", path: 1 }]],
    ["linux.uidMappings", [{ containerID: 0, hostID: 1000 }]],
    ["linux.uidMappings", [{ containerID: 0, hostID: 1000, size: 2 ** 32 }]],
    ["linux.seccomp", { defaultAction: "SCMP_ACT_ALLOW" }],
    ["linux.personality", { domain: "LINUX32" }],
  ])("leaves %s = %p to the schemas", (path, value) => {
    expect(read(withMember(usual, path.split("."), value))).toBeUndefined();
  });

  test.each(["", "\0\0", "{", "null", "[]", '"text"'])("leaves the text %p to the schemas", (text) => {
    expect(usualEnteredConfiguration(text)).toBeUndefined();
  });
});
