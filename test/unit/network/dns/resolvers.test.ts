import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatAddress } from "../../../../src/network/address.ts";
import { parseResolvers, Resolvers } from "../../../../src/network/dns/resolvers.ts";

const names = (resolvers: readonly { readonly address: Parameters<typeof formatAddress>[0] }[]) =>
  resolvers.map(({ address }) => formatAddress(address));

test("the nameserver lines of a resolv.conf are read, whatever else there is", () => {
  const text = [
    "# nameserver 1.1.1.1",
    "domain example.org",
    "nameserver 192.0.2.1 # the first",
    "  nameserver\t2001:db8::1",
    "nameserver fe80::1%eth7",
    "nameserver fe80::2%gone",
    "nameserver nonsense",
    "nameserver",
    "options ndots:2",
  ].join("\n");
  const resolvers = parseResolvers(text, (name) => (name === "eth7" ? 7 : undefined));
  expect(names(resolvers)).toEqual(["192.0.2.1", "2001:db8::1", "fe80::1"]);
  expect(resolvers.map(({ scope }) => scope)).toEqual([0, 0, 7]);
});

test("the file is followed, and who has failed comes last", () => {
  const directory = mkdtempSync(join(tmpdir(), "bunker-resolvers-"));
  try {
    const path = join(directory, "resolv.conf");
    const resolvers = new Resolvers(path);
    expect(names(resolvers.current())).toEqual(["127.0.0.1"]);
    writeFileSync(path, "nameserver 192.0.2.1\nnameserver 192.0.2.2\n");
    const [first] = resolvers.current();
    expect(names(resolvers.current())).toEqual(["192.0.2.1", "192.0.2.2"]);
    if (first !== undefined) resolvers.failed(first);
    expect(names(resolvers.current())).toEqual(["192.0.2.2", "192.0.2.1"]);
    writeFileSync(path, "nameserver 192.0.2.33\n");
    expect(names(resolvers.current())).toEqual(["192.0.2.33"]);
    unlinkSync(path);
    expect(names(resolvers.current())).toEqual(["192.0.2.33"]);
    writeFileSync(path, "search example.org\n");
    expect(names(resolvers.current())).toEqual(["127.0.0.1"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
