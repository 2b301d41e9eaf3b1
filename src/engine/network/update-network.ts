/* What can be changed of a network that is there: whom its containers ask for names of the outside. */
import { formatAddress, parseAddress } from "../../network/address.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import type { Address } from "../../sys/internet-socket.ts";
import { lookUpContainer } from "../lifecycle/find-container.ts";
import { endpointsOfNetwork, lookUpNetwork, type Network, updateResolvers } from "../state/networks.ts";
import { connectToSupervisor, tell } from "../supervisor/connect.ts";

/**
 * Changes the resolvers of a network. Containers that run and have none of their own ask the new ones from now on.
 * @param added behind those that are there
 * @param dropped all of which the network has
 * @throws BunkerError `invalid_network` without names, or when one is to be dropped that the network does not have
 */
export function changeResolvers(
  database: StateDatabase,
  data: string,
  { id, name, hasDns }: Network,
  { added, dropped }: { readonly added: readonly Address[]; readonly dropped: readonly Address[] },
): void {
  const refusal = (reason: string, object: string) =>
    new BunkerError({ code: "invalid_network", operation: "update network", object, reason, exitStatus: 1 });
  if (!hasDns) throw refusal("it was made with --disable-dns", name);
  const resolvers = database.transaction(
    () => {
      const present = lookUpNetwork(database, id)?.resolvers ?? [];
      const missed = dropped.map(formatAddress).find((address) => !present.includes(address));
      if (missed !== undefined) throw refusal(`the network ${name} has no such resolver`, missed);
      const gone = new Set(dropped.map(formatAddress));
      const changed = new Set([...present.filter((address) => !gone.has(address)), ...added.map(formatAddress)]);
      updateResolvers(database, id, [...changed]);
      return [...changed];
    },
    { durable: true },
  );
  const addresses = resolvers.map(parseAddress).filter((address) => address !== undefined);
  for (const { container } of endpointsOfNetwork(database, id)) {
    const own = lookUpContainer(database, data, container)?.definition.membership?.resolvers ?? [];
    using supervisor = own.length > 0 ? undefined : connectToSupervisor(data, container);
    if (supervisor === undefined) continue;
    tell(supervisor, { kind: "resolve", network: id, resolvers: addresses });
  }
}
