import { expect, test } from "bun:test";
import { hostnameFile, hostsFile, ownNames, resolverFile } from "../../../src/engine/network-files.ts";

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
  expect(resolverFile(host)).toBe(expected);
});
