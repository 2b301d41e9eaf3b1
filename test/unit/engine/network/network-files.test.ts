import { describe, expect, test } from "bun:test";
import {
  hostnameFile,
  hostsFile,
  ownNames,
  type ResolverSettings,
  resolverFile,
} from "../../../../src/engine/network/network-files.ts";

test("hostsFile has the loopback names and the given entries", () => {
  expect(hostsFile([{ address: "10.0.2.100", names: ownNames("abc", "example.org") }])).toBe(`127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
10.0.2.100\tabc.example.org abc
`);
  expect(hostsFile([])).toEndWith("ff02::2\tip6-allrouters\n");
});

test("ownNames puts the full name first", () => {
  expect(ownNames("abc", undefined)).toEqual(["abc"]);
  expect(ownNames("abc", "")).toEqual(["abc"]);
  expect(ownNames("abc", "d")).toEqual(["abc.d", "abc"]);
});

test("hostnameFile", () => {
  expect(hostnameFile("abc")).toBe("abc\n");
});

const NOTHING_GIVEN: ResolverSettings = { servers: [], search: [], options: [] };

test.each([
  ["", ""],
  ["nameserver 192.0.2.1\n", "nameserver 192.0.2.1\n"],
  [
    "# comment\n; other\nsearch example.org lan\noptions edns0 trust-ad\nnameserver 127.0.0.53\nnameserver 2001:db8::1\n",
    "search example.org lan\noptions edns0 trust-ad\nnameserver 2001:db8::1\n",
  ],
  ["nameserver ::1\nnameserver 127.1.2.3\nnameserver ::1%lo\nnameserver ::ffff:127.0.0.1", ""],
  ["  nameserver\t192.0.2.1  \nnameservers 1.1.1.1\nlookup file\n", "nameserver\t192.0.2.1\n"],
])("resolverFile(%j)", (host, expected) => {
  expect(resolverFile(host, NOTHING_GIVEN, "not loopback")).toBe(expected);
});

describe("what is given takes the place of the host's, one by one:", () => {
  const host = "search example.org lan\noptions edns0\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n";

  test.each<[Partial<ResolverSettings>, Parameters<typeof resolverFile>[2], string]>([
    [{}, "reachable", host],
    [{}, ["10.0.2.3"], "search example.org lan\noptions edns0\nnameserver 10.0.2.3\n"],
    [{ servers: ["192.0.2.9"] }, "reachable", "search example.org lan\noptions edns0\nnameserver 192.0.2.9\n"],
    [{ servers: ["192.0.2.9"] }, ["10.0.2.3"], "search example.org lan\noptions edns0\nnameserver 192.0.2.9\n"],
    [{ search: ["."] }, ["10.0.2.3"], "options edns0\nnameserver 10.0.2.3\n"],
    [{ search: ["a.org", "b.org"] }, ["10.0.2.3"], "options edns0\nnameserver 10.0.2.3\nsearch a.org b.org\n"],
    [{ options: ["ndots:2"] }, ["10.0.2.3"], "search example.org lan\nnameserver 10.0.2.3\noptions ndots:2\n"],
  ])("%j", (given, servers, expected) => {
    expect(resolverFile(host, { ...NOTHING_GIVEN, ...given }, servers)).toBe(expected);
  });
});
