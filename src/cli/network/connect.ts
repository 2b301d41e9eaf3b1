import { dataDirectory } from "../../engine/data-directory.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { whileThere } from "../../engine/lifecycle/while-there.ts";
import { connectContainer } from "../../engine/network/connect-container.ts";
import { findNetwork } from "../../engine/network/find-network.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";
import { list, single } from "../option.ts";
import {
  addressOfVersion,
  parseGatewayPriority,
  parseLink,
  parseMacAddress,
  parseNetworkAlias,
  parsePlaceOption,
} from "../values/network-place.ts";

/** `bunker network connect`. */
export const connect = defineCommand(
  {
    options: {
      aliases: list({
        name: "alias",
        valueName: "NAME",
        description: "A further name on the network",
        parse: parseNetworkAlias,
      }),
      options: list({
        name: "driver-opt",
        valueName: "NAME=VALUE",
        description: "What its device is called and how it behaves: com.docker.network.endpoint.ifname and .sysctls",
        parse: parsePlaceOption,
      }),
      ipv4: single({ name: "ip", valueName: "ADDRESS", description: "IPv4 address", parse: addressOfVersion(4) }),
      ipv6: single({ name: "ip6", valueName: "ADDRESS", description: "IPv6 address", parse: addressOfVersion(6) }),
      links: list({
        name: "link",
        valueName: "CONTAINER[:ALIAS]",
        description: "A further name of another container, which only this one knows",
        parse: parseLink,
      }),
      hardwareAddress: single({
        name: "mac-address",
        valueName: "ADDRESS",
        description: "Hardware address",
        parse: parseMacAddress,
      }),
      gatewayPriority: single({
        name: "gw-priority",
        valueName: "NUMBER",
        description: "The network with the highest one leads outside; 0 without it",
        parse: parseGatewayPriority,
      }),
    },
    required: ["NETWORK", "CONTAINER"],
    failureStatus: 1,
  },
  async ({ options: { aliases, links, options, ...place }, operands: [network, container] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const found = findContainer(database, data, container);
    const request = { ...place, aliases: [...aliases], links: [...links], options: Object.fromEntries(options) };
    const there = findNetwork(database, network);
    await whileThere(database, data, found, () => connectContainer(database, data, found, there, request));
    return 0;
  },
);
