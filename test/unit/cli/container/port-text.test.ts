import { describe, expect, test } from "bun:test";
import { portsText, unpublishedPorts } from "../../../../src/cli/container/port-text.ts";
import { parseAddress } from "../../../../src/network/address.ts";

const membership = { forwards: [], resolvers: [], egress: undefined, shaping: undefined };

/** A container with ports as an image's configuration names them, and others as `HOST PORT->PORT/PROTOCOL`. */
function container(exposed: readonly string[], published: readonly string[], status: "running" | "exited" = "running") {
  const shown = {
    hostConfiguration: {},
    configuration: { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) },
  };
  const ports = published.map((text) => {
    const [, host = "", hostPort, port, protocol] = /^(\S+) (\d+)->(\d+)\/(tcp|udp)$/.exec(text) ?? [];
    const address = parseAddress(host);
    if (address === undefined || (protocol !== "tcp" && protocol !== "udp")) throw new Error(`no port: ${text}`);
    return {
      protocol,
      host: { address, port: Number(hostPort) },
      target: { address, port: Number(port) },
    } as const;
  });
  return { status, ports, definition: { membership, networkPlan: undefined, shown } };
}

function portsOf(ported: Parameters<typeof unpublishedPorts>[0]): string {
  return portsText(ported.ports, unpublishedPorts(ported));
}

describe("the ports of a list", () => {
  const cases: readonly [string, readonly string[], readonly string[], string][] = [
    ["none", [], [], ""],
    ["those that are not published", ["80/tcp", "53/udp", "53"], [], "53/tcp, 80/tcp, 53/udp"],
    ["ranges", ["8080-8082/tcp", "8083/tcp", "8085/tcp"], [], "8080-8083/tcp, 8085/tcp"],
    [
      "both kinds, those of other ports of the host last",
      ["80/tcp", "443/tcp"],
      [":: 8088->80/tcp", "0.0.0.0 8088->80/tcp"],
      "443/tcp, 0.0.0.0:8088->80/tcp, [::]:8088->80/tcp",
    ],
    [
      "published ranges by address",
      ["91/tcp"],
      ["0.0.0.0 90->90/tcp", ":: 90->90/tcp", "0.0.0.0 91->91/tcp", ":: 91->91/tcp", "0.0.0.0 92->92/udp"],
      "0.0.0.0:90-91->90-91/tcp, [::]:90-91->90-91/tcp, 0.0.0.0:92->92/udp",
    ],
    ["one of two protocols", ["53/tcp", "53/udp"], ["127.0.0.1 53->53/udp"], "53/tcp, 127.0.0.1:53->53/udp"],
    ["what is no port", ["web/tcp", "9-8/tcp"], [], ""],
  ];
  test.each(cases)("%s", (_, exposed, published, text) => {
    expect(portsOf(container(exposed, published))).toBe(text);
  });

  test("are none of a container that does not run, or has no network of Bunker's", () => {
    expect(portsOf(container(["80/tcp"], [], "exited"))).toBe("");
    const { definition, ...rest } = container(["80/tcp"], []);
    expect(portsOf({ ...rest, definition: { ...definition, membership: undefined } })).toBe("");
  });
});
