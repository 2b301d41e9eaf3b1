import { describe, expect, test } from "bun:test";
import { formatConfiguration, parseConfiguration } from "../../../../src/runtime/configuration/configuration.ts";
import { UNLIMITED } from "../../../../src/runtime/configuration/resource-limit-types.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import { branchPaths, leafPaths, wholeConfiguration, withMember } from "./whole-configuration.ts";

const whole = wholeConfiguration();
const PREFIX = "read configuration /bundle/config.json: ";

function parse(value: unknown) {
  return parseConfiguration(JSON.stringify(value), "/bundle/config.json");
}

/** The message for a configuration that must be refused, without its constant beginning. */
function fault(value: unknown): string {
  try {
    parse(value);
  } catch (error) {
    expect(error).toBeInstanceOf(BunkerError);
    const { code, message } = error as BunkerError;
    expect(code).toBe("invalid_configuration");
    expect(message).toStartWith(PREFIX);
    expect(message).not.toContain("\n");
    return message.slice(PREFIX.length);
  }
  throw new Error("the configuration was accepted");
}

describe("a whole configuration", () => {
  test("comes back as it was written", () => {
    expect<unknown>(parse(whole)).toEqual(whole);
  });

  test("survives being formatted", () => {
    expect<unknown>(parseConfiguration(formatConfiguration(parse(whole)), "again")).toEqual(whole);
  });

  test("loses unknown members, at every depth", () => {
    let extended: unknown = { ...whole, windows: { layerFolders: [] } };
    for (const path of branchPaths(whole)) {
      const parent = path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], whole);
      const isMap = ["annotations", "sysctl", "unified", "rdma", "netDevices"].includes(path.at(-1) ?? "");
      if (!Array.isArray(parent) && !isMap) extended = withMember(extended, [...path, "unknown"], { a: [1] });
    }
    expect<unknown>(parse(extended)).toEqual(whole);
  });
});

describe("malformed members", () => {
  // Two kinds are needed: a string is wrong where a number is expected, and the other way round.
  test.each(leafPaths(whole).map((path) => [path.join("."), path] as const))("%s of a wrong type", (dotted, path) => {
    const messages = [["x"], 3.5].map((wrong) => fault(withMember(whole, path, wrong)));
    for (const message of messages) expect(message).toStartWith(`${dotted}: expected `);
    expect(messages[0]).toEndWith(", got a list");
  });

  test.each(branchPaths(whole).map((path) => [path.join("."), path] as const))("%s as text", (dotted, path) => {
    expect(fault(withMember(whole, path, "text"))).toMatch(
      new RegExp(`^${dotted.replaceAll(".", "\\.")}: expected (an object|a list)( .*)?, got "text"$`),
    );
  });

  test.each([
    ["process.rlimits.0.soft", "many", 'expected a number, got "many"'],
    ["process.rlimits.0.soft", -1, "expected an integer from 0 to 2^64 - 1, got -1"],
    [
      "process.rlimits.0.type",
      "RLIMIT_NOFLIE",
      'expected a resource limit, perhaps RLIMIT_NOFILE, got "RLIMIT_NOFLIE"',
    ],
    ["process.scheduler.policy", "SCHED_FIFI", 'expected a scheduling policy, perhaps SCHED_FIFO, got "SCHED_FIFI"'],
    [
      "linux.seccomp.syscalls.0.action",
      "SCMP_ACT_ALOW",
      'expected a seccomp action, perhaps SCMP_ACT_ALLOW, got "SCMP_ACT_ALOW"',
    ],
    ["linux.namespaces.1.type", "pids", 'expected a namespace type, perhaps pid, got "pids"'],
    ["process.ioPriority.priority", 8, "expected an integer from 0 to 7, got 8"],
    ["process.oomScoreAdj", -1001, "expected an integer from -1000 to 1000, got -1001"],
    ["process.user.uid", 4294967296, "expected an integer from 0 to 4294967294, got 4294967296"],
    ["process.user.umask", 512, "expected an integer from 0 to 511, got 512"],
    ["process.args", [], "expected a list with at least one word, got an empty list"],
    ["process.args.1", "a\0b", 'expected a string without NUL characters, got "a\\u0000b"'],
    ["process.execCPUAffinity.final", "all", 'expected a list of processors such as 0-3,7, got "all"'],
    ["process", [], "expected an object, got an empty list"],
    ["root.path", "", 'expected a path, got ""'],
    ["mounts.0.destination", "", 'expected a path, got ""'],
    ["hooks.poststop.0.path", "hook", 'expected an absolute path, got "hook"'],
    ["hooks.poststop.0.timeout", 0, "expected an integer from 1 to 2147483647, got 0"],
    ["linux.resources.hugepageLimits.0.pageSize", "2M", 'expected a page size such as 2MB, got "2M"'],
    ["linux.resources.devices.0.access", "rx", 'expected some of the letters r, w and m, got "rx"'],
    ["linux.timeOffsets.monotonic.nanosecs", 1e9, "expected an integer from 0 to 999999999, got 1000000000"],
    ["linux.seccomp.syscalls.0.args.0.index", 6, "expected an integer from 0 to 5, got 6"],
    ["linux.personality.flags", ["x"], "expected an empty list, as no personality flag is defined, got a list"],
    ["linux.intelRdt.memBwSchema", "L3:0=f", 'expected one line that starts with MB:, got "L3:0=f"'],
  ])("%s = %j", (dotted, value, message) => {
    expect(fault(withMember(whole, dotted.split("."), value))).toBe(`${dotted}: ${message}`);
  });

  test.each(["", "1.2", "2.0.0", "1.02.0", "v1.2.0", "1.2.0-", "one"])("ociVersion %j", (version) => {
    expect(fault({ ...whole, ociVersion: version })).toBe(
      `ociVersion: expected a version 1.x.y of the OCI runtime specification, got ${JSON.stringify(version)}`,
    );
  });

  test.each(["1.0.0", "1.0.2-dev", "1.2.0-rc.1", "1.3.0+build.5", "1.99.0"])("ociVersion %s is taken", (version) => {
    expect(parse({ ...whole, ociVersion: version }).ociVersion).toBe(version);
  });

  test.each([
    "ociVersion",
    "root",
    "root.path",
    "process.args",
    "process.cwd",
    "process.rlimits.0.type",
    "process.rlimits.0.soft",
    "process.rlimits.0.hard",
    "process.scheduler.policy",
    "process.ioPriority.class",
    "process.consoleSize.height",
    "mounts.0.destination",
    "hooks.prestart.0.path",
    "linux.namespaces.0.type",
    "linux.uidMappings.0.size",
    "linux.devices.0.path",
    "linux.devices.0.type",
    "linux.resources.devices.0.allow",
    "linux.resources.hugepageLimits.0.limit",
    "linux.resources.network.priorities.0.name",
    "linux.resources.blockIO.weightDevice.0.major",
    "linux.seccomp.defaultAction",
    "linux.seccomp.syscalls.0.names",
    "linux.seccomp.syscalls.0.action",
    "linux.seccomp.syscalls.0.args.0.op",
    "linux.memoryPolicy.mode",
    "linux.personality.domain",
  ])("%s must not be missing", (dotted) => {
    expect(fault(withMember(whole, dotted.split("."), undefined))).toBe(`${dotted}: missing`);
  });

  test("an empty annotation name", () => {
    expect(fault({ ...whole, annotations: { "": "x" } })).toContain("expected a name that is not empty");
  });

  test("long values are shortened", () => {
    const message = fault({ ...whole, ociVersion: "x".repeat(100_000) });
    expect(message.length).toBeLessThan(200);
  });
});

describe("other inputs", () => {
  test.each(["", "{", "{'a': 1}", '{"ociVersion": "1.0.0",}'])("no JSON: %j", (text) => {
    expect(() => parseConfiguration(text, "/bundle/config.json")).toThrow(PREFIX);
  });

  test.each(["[]", "3", "null", '"text"'])("JSON that is no object: %s", (text) => {
    expect(() => parseConfiguration(text, "/bundle/config.json")).toThrow(`${PREFIX}expected an object, got `);
  });

  test("null is the absence that Go programs write", () => {
    const { process, root, ociVersion } = whole;
    const sparse = {
      ociVersion,
      root,
      process: { ...process, env: null, capabilities: { bounding: null } },
      linux: null,
    };
    expect<unknown>(parse(sparse)).toEqual({ ociVersion, root, process: { ...omitEnv(process), capabilities: {} } });
  });

  test("a process without a user is root", () => {
    const { process, root, ociVersion } = whole;
    const { user: _, ...withoutUser } = process;
    expect<unknown>(parse({ ociVersion, root, process: withoutUser }).process?.user).toEqual({ uid: 0, gid: 0 });
  });

  test("a relative mount destination and a relative device begin at the root", () => {
    expect(parse(withMember(whole, ["mounts", "0", "destination"], "data")).mounts?.[0]?.destination).toBe("/data");
    expect(parse(withMember(whole, ["linux", "devices", "0", "path"], "d")).linux?.devices?.[0]?.path).toBe("/d");
  });

  test("64-bit patterns are exact both ways", () => {
    const text = JSON.stringify(whole)
      .replace('"soft":1024,"hard":4096', '"soft":9007199254740993,"hard":18446744073709551615')
      .replace("2114060288", "18446744073709551614");
    const configuration = parseConfiguration(text, "config.json");
    expect(configuration.process?.rlimits?.[0]).toEqual({
      type: "RLIMIT_NOFILE",
      soft: 9007199254740993n,
      hard: UNLIMITED,
    });
    expect(configuration.linux?.seccomp?.syscalls?.[0]?.args?.[0]?.value).toBe(18446744073709551614n);
    const formatted = formatConfiguration(configuration);
    expect(formatted).toContain('"soft": 9007199254740993,');
    expect(formatted).toContain('"hard": 18446744073709551615');
    expect(parseConfiguration(formatted, "config.json")).toEqual(configuration);
  });

  test.each(["18446744073709551616", "1e30", "0.5"])("%s is no 64-bit integer", (number) => {
    const text = JSON.stringify(whole).replace('"hard":4096', `"hard":${number}`);
    expect(() => parseConfiguration(text, "config.json")).toThrow(
      "process.rlimits.0.hard: expected an integer from 0 to 2^64 - 1, got",
    );
  });

  test("byte counts of 64 bits are rounded", () => {
    const text = JSON.stringify(whole).replace('"limit":1000', '"limit":9223372036854775807');
    expect(parseConfiguration(text, "config.json").linux?.resources?.memory?.limit).toBe(2 ** 63);
  });
});

function omitEnv<T extends { env: unknown }>({ env: _, ...rest }: T): Omit<T, "env"> {
  return rest;
}
