import { describe, expect, test } from "bun:test";
import { changedTexts, type NamedNetworks } from "../../../../src/engine/network/network-texts.ts";
import { parseAddress } from "../../../../src/network/address.ts";

function networks(addresses: readonly string[], resolver?: string): NamedNetworks {
  const parse = (text: string) => parseAddress(text) ?? [0, 0, 0, 0];
  return {
    addresses: addresses.map(parse),
    outward: undefined,
    resolvers: resolver === undefined ? [] : [parse(resolver)],
    hasShortNames: true,
  };
}

const HOSTS = "127.0.0.1\tlocalhost\n10.1.0.2\tbox\n192.0.2.1\tadded by hand\n";
const RESOLV_CONF = "search example.org\nnameserver 10.1.0.1\noptions ndots:0\n";
const NONE = networks([]);

describe("the texts of a container whose networks change", () => {
  test("have its lines for the networks that it is on, and whatever else was there", () => {
    const both = networks(["10.1.0.2", "10.2.0.2", "fd00::2"], "10.1.0.1");
    const connected = changedTexts(
      { hosts: HOSTS, resolvConf: RESOLV_CONF },
      { before: networks(["10.1.0.2"], "10.1.0.1"), after: both },
      "box.example box",
      true,
    );
    expect(connected.hosts).toBe(
      "127.0.0.1\tlocalhost\n192.0.2.1\tadded by hand\n" +
        "10.1.0.2\tbox.example box\n10.2.0.2\tbox.example box\nfd00::2\tbox.example box\n",
    );
    expect(connected.resolvConf).toBe("search example.org\noptions ndots:0\nnameserver 10.1.0.1\n");
    const left = changedTexts(connected, { before: both, after: networks(["10.2.0.2"], "10.2.0.1") }, "box", true);
    expect(left.hosts).toBe("127.0.0.1\tlocalhost\n192.0.2.1\tadded by hand\n10.2.0.2\tbox\n");
    expect(left.resolvConf).toBe("search example.org\noptions ndots:0\nnameserver 10.2.0.1\n");
  });

  test("find the resolver again after a time on no network", () => {
    const before = networks(["10.1.0.2"], "10.1.0.1");
    const alone = changedTexts({ hosts: HOSTS, resolvConf: RESOLV_CONF }, { before, after: NONE }, "box", true);
    expect(alone).toEqual({ hosts: "127.0.0.1\tlocalhost\n192.0.2.1\tadded by hand\n", resolvConf: RESOLV_CONF });
    const again = changedTexts(alone, { before: NONE, after: networks(["10.2.0.2"], "10.2.0.1") }, "box", true);
    expect(again.resolvConf).toContain("nameserver 10.2.0.1\n");
    expect(again.resolvConf).not.toContain("10.1.0.1");
  });

  test("keep the resolvers of a network of its own", () => {
    const texts = { hosts: "", resolvConf: "nameserver 192.0.2.53\n" };
    const after = networks(["10.0.2.100", "10.2.0.2"], "10.0.2.3");
    const changed = changedTexts(texts, { before: networks(["10.0.2.100"], "10.0.2.3"), after }, "box", false);
    expect(changed.resolvConf).toBe("nameserver 192.0.2.53\n");
  });

  test("may be empty", () => {
    expect(changedTexts({ hosts: "", resolvConf: "" }, { before: NONE, after: NONE }, "box", true)).toEqual({
      hosts: "",
      resolvConf: "",
    });
  });
});
