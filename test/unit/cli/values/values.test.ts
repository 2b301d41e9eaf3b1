import { describe, expect, test } from "bun:test";
import { InvalidValue } from "../../../../src/cli/invalid-value.ts";
import { parseCapabilityOption } from "../../../../src/cli/values/capability-option.ts";
import { oneOf } from "../../../../src/cli/values/choice.ts";
import { parseDeviceOption } from "../../../../src/cli/values/device-option.ts";
import { parseCheckDuration } from "../../../../src/cli/values/duration.ts";
import { parseEnvironmentFile } from "../../../../src/cli/values/environment-file.ts";
import { parseEnvironmentOption } from "../../../../src/cli/values/environment-option.ts";
import { namespaceModeParser } from "../../../../src/cli/values/namespace-option.ts";
import { integerBetween, parseBytes } from "../../../../src/cli/values/numbers.ts";
import { parseRootfs } from "../../../../src/cli/values/rootfs-operand.ts";
import { parseSecurityOption } from "../../../../src/cli/values/security-option.ts";
import { parseUlimitOption } from "../../../../src/cli/values/ulimit-option.ts";
import { parseUsernsOption } from "../../../../src/cli/values/userns-option.ts";
import {
  parseContainerName,
  parseGroup,
  parseHostname,
  parseSysctl,
  parseUser,
} from "../../../../src/cli/values/words.ts";
import type { JoinedNamespace } from "../../../../src/engine/specification/run-options.ts";
import { UNLIMITED } from "../../../../src/runtime/configuration/resource-limit-types.ts";
import { BunkerError } from "../../../../src/sys/error.ts";

/** Tests a parser on values it takes, with what they mean, and on values it refuses, with a part of the message. */
function testParser<Value>(
  name: string,
  parse: (text: string) => Value,
  accepted: readonly (readonly [text: string, value: Value])[],
  refused: readonly (readonly [text: string, message: string])[],
): void {
  describe(name, () => {
    test.each(accepted.map(([text, value]) => ({ text, value })))("takes $text", ({ text, value }) => {
      expect(parse(text)).toEqual(value);
    });
    test.each(refused.map(([text, message]) => ({ text, message })))("refuses $text", ({ text, message }) => {
      expect(() => parse(text)).toThrow(InvalidValue);
      expect(() => parse(text)).toThrow(message);
    });
  });
}

testParser(
  "parseCheckDuration",
  parseCheckDuration,
  [
    ["0", 0],
    ["0s", 0],
    ["1ms", 1],
    ["1m30s", 90_000],
  ],
  [
    ["999us", "at least 1ms"],
    ["-1s", "expected a duration"],
    ["30", "expected a duration"],
  ],
);

testParser(
  "parseBytes",
  parseBytes,
  [
    ["0", 0],
    ["100", 100],
    ["100b", 100],
    ["1k", 1024],
    ["64m", 67108864],
    ["64M", 67108864],
    ["64MB", 67108864],
    ["64MiB", 67108864],
    ["64 mb", 67108864],
    ["1.5g", 1610612736],
    ["0.3k", 307],
    ["1t", 1099511627776],
  ],
  [
    ["", "expected bytes"],
    ["m", "expected bytes"],
    ["-1m", "expected bytes"],
    ["1.m", "expected bytes"],
    ["1x", "expected bytes"],
    ["1mm", "expected bytes"],
    ["0x10", "expected bytes"],
    ["1e3", "expected bytes"],
    ["9999p", "too much"],
  ],
);

testParser(
  "integerBetween",
  integerBetween(-1000, 1000),
  [
    ["0", 0],
    ["-1000", -1000],
    ["1000", 1000],
  ],
  [
    ["1001", "from -1000 to 1000"],
    ["-1001", "from -1000 to 1000"],
    ["", "expected a whole number"],
    ["1.5", "expected a whole number"],
    ["1e2", "expected a whole number"],
    [" 1", "expected a whole number"],
  ],
);

testParser(
  "oneOf",
  oneOf("private", "host", "none"),
  [["host", "host"]],
  [
    ["hots", "expected private, host or none; did you mean host?"],
    ["container:1", "expected private, host or none"],
    ["", "expected private, host or none"],
  ],
);

testParser(
  "parseUlimitOption",
  parseUlimitOption,
  [
    ["nofile=1024", { type: "RLIMIT_NOFILE", soft: 1024, hard: 1024 }],
    ["nofile=1024:2048", { type: "RLIMIT_NOFILE", soft: 1024, hard: 2048 }],
    ["core=-1", { type: "RLIMIT_CORE", soft: UNLIMITED, hard: UNLIMITED }],
    ["core=5:-1", { type: "RLIMIT_CORE", soft: 5, hard: UNLIMITED }],
  ],
  [
    ["nofiles=1", "did you mean nofile?"],
    ["NOFILE=1", "did you mean nofile?"],
    ["nofile", "expected NAME=SOFT[:HARD]"],
    ["nofile=", "expected NAME=SOFT[:HARD]"],
    ["nofile=1:", "expected NAME=SOFT[:HARD]"],
    ["nofile=1:2:3", "expected NAME=SOFT[:HARD]"],
    ["nofile=many", "expected NAME=SOFT[:HARD]"],
    ["nofile=2:1", "the soft limit is above the hard limit"],
    ["nofile=-1:1", "the soft limit is above the hard limit"],
    ["nofile=-2", "-1 for unlimited"],
    ["nofile=99999999999999999999", "2^53"],
  ],
);

testParser(
  "parseDeviceOption",
  parseDeviceOption,
  [
    ["/dev/fuse", { hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "rwm" }],
    ["/dev/fuse:r", { hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "r" }],
    ["/dev/fuse:/dev/x", { hostPath: "/dev/fuse", containerPath: "/dev/x", permissions: "rwm" }],
    ["/dev/fuse:/dev/x:rw", { hostPath: "/dev/fuse", containerPath: "/dev/x", permissions: "rw" }],
  ],
  [
    ["", "absolute path of a device"],
    ["fuse", "absolute path of a device"],
    ["vendor.com/class", "absolute path of a device"],
    ["/dev/fuse:x", "must be absolute"],
    ["/dev/fuse:", "must be absolute"],
    ["/dev/fuse:rr", "must be absolute"],
    ["/dev/fuse:/dev/x:rwx", "permissions of r, w and m"],
    ["/dev/fuse:/dev/x:r:w", "permissions of r, w and m"],
  ],
);

testParser<"private" | "host" | JoinedNamespace>(
  "namespaceModeParser",
  namespaceModeParser("private", "host"),
  [
    ["host", "host"],
    ["container:one", { kind: "container", container: "one" }],
    ["ns:/proc/1/ns/pid", { kind: "path", path: "/proc/1/ns/pid" }],
  ],
  [
    ["", "expected private or host"],
    ["hots", "did you mean host?"],
    ["container:", "a container's name or id"],
    ["ns:run", "an absolute path"],
  ],
);

testParser(
  "parseUsernsOption",
  parseUsernsOption,
  [
    ["host", { kind: "host" }],
    ["container:one", { kind: "joined", joined: { kind: "container", container: "one" } }],
    ["keep-id", { kind: "keep-id", uid: undefined, gid: undefined }],
    ["keep-id:uid=1,gid=2", { kind: "keep-id", uid: 1, gid: 2 }],
    ["keep-id:gid=0", { kind: "keep-id", uid: undefined, gid: 0 }],
  ],
  [
    ["", "expected host, keep-id"],
    ["auto", "expected host, keep-id"],
    ["keep-id:", "expected host, keep-id"],
    ["keep-id:uid=x", "expected host, keep-id"],
    ["keep-id:uid=4294967295", "expected host, keep-id"],
    ["keep-id:uid=1,uid=2", "uid is given twice"],
    ["uid=1", "expected host, keep-id"],
  ],
);

testParser(
  "parseSecurityOption",
  parseSecurityOption,
  [
    ["no-new-privileges", { kind: "no-new-privileges", enabled: true }],
    ["no-new-privileges=false", { kind: "no-new-privileges", enabled: false }],
    ["no-new-privileges:true", { kind: "no-new-privileges", enabled: true }],
    ["seccomp=unconfined", { kind: "seccomp", profile: "unconfined" }],
    ["seccomp:/a=b.json", { kind: "seccomp", profile: "/a=b.json" }],
    ["seccomp=/a:b.json", { kind: "seccomp", profile: "/a:b.json" }],
    ["apparmor=unconfined", { kind: "apparmor", profile: "unconfined" }],
    ["label=disable", { kind: "label", label: "disable" }],
    ["label:disable", { kind: "label", label: "disable" }],
    ["label=type:svirt_apache_t", { kind: "label", label: "type:svirt_apache_t" }],
    ["label=level:s0:c100,c200", { kind: "label", label: "level:s0:c100,c200" }],
    ["mask=/a:/b", { kind: "mask", paths: ["/a", "/b"] }],
    ["unmask=ALL", { kind: "unmask", paths: ["ALL"] }],
    ["unmask=/proc/*", { kind: "unmask", paths: ["/proc/*"] }],
    ["systempaths=unconfined", { kind: "systempaths" }],
  ],
  [
    ["", "expected seccomp"],
    ["secomp=unconfined", "did you mean seccomp?"],
    ["seccomp", "seccomp needs a value"],
    ["seccomp=", "seccomp needs a value"],
    ["no-new-privileges=maybe", "expected true or false"],
    ["no-new-privileges=", "expected true or false"],
    ["label=enable", "expected label=disable"],
    ["label=type:", "expected label=disable"],
    ["mask=ALL", '"ALL" is no absolute path'],
    ["mask=/a:b", '"b" is no absolute path'],
    ["unmask=x", '"x" is no absolute path, nor ALL'],
    ["systempaths=confined", "expected systempaths=unconfined"],
  ],
);

testParser(
  "parseCapabilityOption",
  parseCapabilityOption,
  [
    ["net_admin", "CAP_NET_ADMIN"],
    ["CAP_NET_ADMIN", "CAP_NET_ADMIN"],
    ["Cap_Chown", "CAP_CHOWN"],
    ["all", "ALL"],
  ],
  [
    ["net_admn", "did you mean CAP_NET_ADMIN?"],
    ["everything", "no such capability"],
    ["", "no such capability"],
  ],
);

testParser(
  "parseContainerName",
  parseContainerName,
  [
    ["web", "web"],
    ["0.a_b-c", "0.a_b-c"],
  ],
  [
    ["a", "expected"],
    ["", "expected"],
    ["-web", "expected"],
    ["web/1", "expected"],
    ["web\n", "expected"],
  ],
);

testParser(
  "parseHostname",
  parseHostname,
  [
    ["a", "a"],
    ["web-1.example.org", "web-1.example.org"],
    ["x".repeat(64), "x".repeat(64)],
  ],
  [
    ["", "expected up to 64"],
    ["-a", "expected up to 64"],
    ["a b", "expected up to 64"],
    ["x".repeat(65), "expected up to 64"],
  ],
);

testParser(
  "parseUser",
  parseUser,
  [
    ["7", "7"],
    ["name:group", "name:group"],
  ],
  [
    ["", "expected USER"],
    [":7", "expected USER"],
    ["7:", "expected USER"],
    ["a:b:c", "expected USER"],
  ],
);

testParser(
  "parseGroup",
  parseGroup,
  [["audio", "audio"]],
  [
    ["", "expected a group"],
    ["a:b", "expected a group"],
  ],
);

testParser(
  "parseSysctl",
  parseSysctl,
  [
    ["net.core.somaxconn=1024", ["net.core.somaxconn", "1024"]],
    ["net/ipv4/ping_group_range=0 7", ["net/ipv4/ping_group_range", "0 7"]],
    ["kernel.domainname=", ["kernel.domainname", ""]],
  ],
  [
    ["net.core.somaxconn", "expected NAME=VALUE"],
    ["=1", "expected NAME=VALUE"],
    ["somaxconn=1", "expected NAME=VALUE"],
    ["net/../../etc=1", "expected NAME=VALUE"],
  ],
);

testParser(
  "parseEnvironmentOption",
  parseEnvironmentOption,
  [
    ["A=1", "A=1"],
    ["A=", "A="],
    ["A==b", "A==b"],
    ["PATH", `PATH=${process.env["PATH"]}`],
    ["BUNKER_TEST_ABSENT", undefined],
  ],
  [
    ["", "has no name"],
    ["=1", "has no name"],
  ],
);

describe("parseEnvironmentFile", () => {
  const parse = (text: string, encoding: "utf8" | "latin1" = "utf8") =>
    parseEnvironmentFile(Buffer.from(text, encoding), "file");

  test.each<[string, string[]]>([
    ["", []],
    ["A=1\nB=2", ["A=1", "B=2"]],
    ["A=1\r\nB=2\r\n", ["A=1", "B=2"]],
    ["# comment\n\n   \n\t# another\nA=1\n", ["A=1"]],
    ["  A=1", ["A=1"]],
    ["A= 'quoted' # not a comment ", ["A= 'quoted' # not a comment "]],
    ["A=", ["A="]],
    ["A=b=c", ["A=b=c"]],
    ["\ufeffA=ü", ["A=ü"]],
    ["BUNKER_TEST_ABSENT\nPATH\n", [`PATH=${process.env["PATH"]}`]],
  ])("reads %j", (text, entries) => {
    expect(parse(text)).toEqual(entries);
  });

  test.each([
    ["A=1\n=2\n", "read line 2 of the environment file file: the variable has no name"],
    ["A B=1", 'read line 1 of the environment file file: the name "A B" contains white space'],
    ["export A=1", 'read line 1 of the environment file file: the name "export A" contains white space'],
    ["A=\0", "read line 1 of the environment file file: it contains a NUL character"],
  ])("refuses %j", (text, message) => {
    expect(() => parse(text)).toThrow(BunkerError);
    expect(() => parse(text)).toThrow(message);
  });

  test("refuses what is not UTF-8", () => {
    expect(() => parse("A=1\nB=\xff", "latin1")).toThrow(
      "read line 2 of the environment file file: it is not valid UTF-8",
    );
  });
});

describe("parseRootfs", () => {
  test("takes a directory, with :O for a view that leaves it unchanged", () => {
    expect(parseRootfs("/")).toEqual({ kind: "rootfs", path: "/", overlay: false });
    expect(parseRootfs("/:O")).toEqual({ kind: "rootfs", path: "/", overlay: true });
    expect(parseRootfs("a:b")).toEqual({ kind: "rootfs", path: "a:b", overlay: false });
  });

  test.each(["", ":O"])("refuses %j", (text) => {
    expect(() => parseRootfs(text)).toThrow(BunkerError);
  });
});
