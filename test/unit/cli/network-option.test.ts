import { describe, expect, test } from "bun:test";
import { parseNetworkOption } from "../../../src/cli/values/network-option.ts";
import { DEFAULT_SLIRP } from "../../../src/engine/network/default-slirp.ts";

describe("--network", () => {
  test.each([
    ["none", { kind: "none" }],
    ["name=host", { kind: "host" }],
    ["container:db", { kind: "joined", joined: { kind: "container", container: "db" } }],
    ["ns:/run/netns/x", { kind: "joined", joined: { kind: "path", path: "/run/netns/x" } }],
    ["bridge", { kind: "slirp", settings: DEFAULT_SLIRP }],
    ["private", { kind: "slirp", settings: DEFAULT_SLIRP }],
    ["slirp4netns:port_handler=slirp4netns,mtu=1500", { kind: "slirp", settings: { ...DEFAULT_SLIRP, mtu: 1500 } }],
    ["web", { kind: "shared", place: { network: "web", aliases: [] } }],
    [
      "web:ip=10.1.2.3,ip6=FD00::1,mac=02-00-00-00-00-AA,alias=a,alias=b.c",
      {
        kind: "shared",
        place: {
          network: "web",
          ipv4: "10.1.2.3",
          ipv6: "fd00::1",
          hardwareAddress: "02:00:00:00:00:aa",
          aliases: ["a", "b.c"],
        },
      },
    ],
    [
      "ip=10.1.2.3,name=web,mac-address=02:00:00:00:00:01",
      {
        kind: "shared",
        place: { network: "web", ipv4: "10.1.2.3", hardwareAddress: "02:00:00:00:00:01", aliases: [] },
      },
    ],
    [
      'name=web,driver-opt=a=b,"driver-opt=c=d,e"',
      { kind: "shared", place: { network: "web", aliases: [], options: { a: "b", c: "d,e" } } },
    ],
    [
      "web:interface_name=net0",
      {
        kind: "shared",
        place: { network: "web", aliases: [], options: { "com.docker.network.endpoint.ifname": "net0" } },
      },
    ],
    ["name=web,gw-priority=-3", { kind: "shared", place: { network: "web", gatewayPriority: -3, aliases: [] } }],
  ] as const)("%s", (text, expected) => {
    expect(parseNetworkOption(text) as unknown).toEqual(expected);
  });

  test.each([
    ["", "expected slirp"],
    ["a/b", "expected slirp"],
    ["container:", "container's name or id"],
    ["ns:relative", "absolute path"],
    ["ip=10.1.2.3", "the name is missing"],
    ["name=web,ip=fd00::1", "expected an IPv4 address"],
    ["web:ip=224.0.0.1", "expected an IPv4 address"],
    ["web:mac=00:00:00:00:00:00", "expected a hardware address"],
    ["web:alias=-x", "expected a name"],
    ["web:gw-priority=10000", "from -9999 to 9999"],
    ["name=web,driver-opt", "expected NAME=VALUE"],
    ['name=web,"driver-opt=a=b', "must end with"],
    ["web:interface-name=net0", "did you mean interface_name?"],
    ["web:gateway=10.0.0.1", "a network has no option"],
    ["name=host,ip=10.1.2.3", "user-defined"],
    ["private:ip=10.1.2.3", "user-defined"],
    ["slirp4netns:port_handler=rootlesskit", "always show their clients' addresses"],
    ["pasta:-T,80", "instead of pasta"],
  ])("%j is refused", (text, message) => {
    expect(() => parseNetworkOption(text)).toThrow(message);
  });
});
