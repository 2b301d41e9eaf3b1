/*
 * A container's networks on the side of its supervisor: a stack for each of its devices, and what they have in common,
 * the names that are known on any of them and the ports of the host, which lead into the first that reaches outside.
 *
 * Devices come and go while the container runs. One that is shared with others is served when those who were there are
 * known (network/switch/shared-link.ts). One that fails, because the container's root has deleted it, is left like one
 * that is taken away: connections over it end, ports lead to the next network, and all else goes on.
 */
import { leadsOutside, type NetworkConfiguration } from "../../network/configuration.ts";
import { isOnLink, subnetOf } from "../../network/destination.ts";
import type { LocalNames } from "../../network/dns/local-names.ts";
import { Resolvers } from "../../network/dns/resolvers.ts";
import { Egress } from "../../network/egress.ts";
import type { FlowSummary } from "../../network/flow-summary.ts";
import type { PublishedPort } from "../../network/published-port.ts";
import { Shaping } from "../../network/shaping.ts";
import { Stack } from "../../network/stack.ts";
import { SharedLink } from "../../network/switch/shared-link.ts";
import { hardwareAddressOf, type Station } from "../../network/switch/station.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import type { Reactor } from "../../sys/reactor.ts";
import { HOST_NAMES, hostGateway } from "./host-gateway.ts";
import { networkDirectory } from "./network-directory.ts";
import type { LinkMembership, NetworkPlan, PortBinding } from "./network-plan-schema.ts";
import { inRouteOrder } from "./route-order.ts";

/** A device that a supervisor is handed. */
export interface HandedLink {
  readonly configuration: NetworkConfiguration;
  /** Of its default routes: what the container sends outside goes by the lowest. */
  readonly metric: number;
  readonly membership: LinkMembership | undefined;
  /** The file of the container's device. */
  readonly device: FileDescriptor;
}

/** A port of the host that leads into the container. */
export type HandedPort = PortBinding & { readonly socket: FileDescriptor };

/** A device that has failed. */
export interface LostLink {
  /** Its network; undefined for the container's own. */
  readonly network: { readonly id: string; readonly name: string } | undefined;
  readonly errno: number;
}

interface ServedLink extends HandedLink {
  configuration: NetworkConfiguration;
  readonly station: Station | undefined;
  shared: SharedLink | undefined;
  stack: Stack | undefined;
  /** Called when it is served, or will never be. */
  onServed: () => void;
}

interface ServedPort extends HandedPort {
  /** Where it leads now. */
  place: { readonly stack: Stack; readonly port: PublishedPort } | undefined;
}

/** Somebody on a network. */
interface KnownStation {
  readonly station: Station;
  /** The network's name, in lower case. */
  readonly network: string;
  /** What this container alone calls others there. */
  readonly links: LinkMembership["links"];
}

/** All networks of a container; see the head of this file. */
export class ContainerNetworks implements Disposable {
  readonly #reactor: Reactor;
  readonly #data: string;
  readonly #id: string;
  readonly #egress: Egress;
  readonly #shaping: Shaping | undefined;
  readonly #onLoss: (lost: LostLink) => void;
  readonly #run = crypto.randomUUID();
  /** In the order in which they lead outside. */
  #links: ServedLink[] = [];
  readonly #ports: ServedPort[] = [];
  readonly #resolvers = new Resolvers();
  readonly #names: LocalNames = {
    addressesOf: (name) => this.#addressesOf(name),
    nameOf: (address) => this.#nameOf(address),
    isLocal: (address) => this.#links.some((link) => isAddressOn(link, address)),
    asksOutside: (name) =>
      this.#egress.permitsName(name) && this.#links.some(({ configuration }) => configuration.isInternal !== true),
  };

  /**
   * @param data Bunker's data directory
   * @param id the container's
   * @param rules what may be reached outside, and how traffic is made worse; undefined for everything, and for not at all
   * @param onLoss called when a device has failed, whose connections have ended then
   */
  constructor(
    reactor: Reactor,
    data: string,
    id: string,
    { egress, shaping }: Pick<NetworkPlan, "egress" | "shaping">,
    onLoss: (lost: LostLink) => void,
  ) {
    this.#reactor = reactor;
    this.#data = data;
    this.#id = id;
    this.#onLoss = onLoss;
    this.#egress = new Egress(egress);
    this.#shaping = shaping === undefined ? undefined : new Shaping({ ...shaping, rate: shaping.rate });
  }

  /**
   * Serves a device, until it is removed or this ends.
   * @param onServed called when the container can use it, or never will
   * @throws BunkerError when its network cannot be joined
   */
  add(handed: HandedLink, onServed: () => void): void {
    const { configuration, device, membership } = handed;
    const station = membership === undefined ? undefined : this.#stationOf(configuration, membership);
    const link: ServedLink = { ...handed, station, shared: undefined, stack: undefined, onServed };
    this.#links = inRouteOrder([...this.#links, link]);
    this.#chooseResolvers();
    if (membership === undefined || station === undefined) {
      this.#serve(link);
      return;
    }
    try {
      link.shared = new SharedLink(this.#reactor, {
        directory: networkDirectory(this.#data, membership.network),
        device: device.number,
        station,
        router: [configuration.ipv4.gateway, ...(configuration.ipv6 === undefined ? [] : [configuration.ipv6.gateway])],
        isSeparated: configuration.isSeparated === true,
        onReady: () => this.#serve(link),
      });
    } catch (error) {
      this.#links = this.#links.filter((other) => other !== link);
      this.#chooseResolvers();
      device.close();
      throw error;
    }
  }

  #stationOf({ ipv4, ipv6 }: NetworkConfiguration, { hardwareAddress, names }: LinkMembership): Station {
    const addresses = [ipv4.address, ...(ipv6 === undefined ? [] : [ipv6.address])];
    return { id: this.#id, run: this.#run, hardwareAddress, addresses, names: [...names] };
  }

  #serve(link: ServedLink): void {
    const { device, configuration, membership, shared } = link;
    link.stack = new Stack(this.#reactor, {
      device: device.number,
      configuration,
      // The stack is at work with it.
      onEnd: (errno) => this.#reactor.defer(() => this.#lose(link, errno)),
      hardwareAddress: membership === undefined ? undefined : hardwareAddressOf(membership.hardwareAddress),
      link: shared,
      names: this.#names,
      resolvers: this.#resolvers,
      egress: this.#egress,
      shaping: this.#shaping,
    });
    this.#placePorts();
    this.#tellServed(link);
  }

  #tellServed(link: ServedLink): void {
    const { onServed } = link;
    link.onServed = () => {};
    onServed();
  }

  /** Takes ports of the host, which from now on belong to this. */
  publish(ports: readonly HandedPort[]): void {
    this.#ports.push(...ports.map((port) => ({ ...port, place: undefined })));
    this.#placePorts();
  }

  /** What goes over all of them (of what goes to other containers: the way there), with the names of those at the other end. */
  flows(): FlowSummary[] {
    const flows = this.#links.flatMap(({ stack, shared }) => [...(stack?.flows() ?? []), ...(shared?.flows() ?? [])]);
    return flows.map((flow) => ({ ...flow, name: flow.name ?? this.#nameOf(flow.outside.address) }));
  }

  /** Takes a device of a network away; connections over it end. */
  remove(network: string): void {
    const link = this.#links.find(({ membership }) => membership?.network === network);
    if (link !== undefined) this.#leave(link);
  }

  #lose(link: ServedLink, errno: number): void {
    if (!this.#links.includes(link)) return;
    this.#leave(link);
    const { membership } = link;
    this.#onLoss({ network: membership && { id: membership.network, name: membership.name }, errno });
  }

  #leave(link: ServedLink): void {
    this.#links = this.#links.filter((other) => other !== link);
    this.#chooseResolvers();
    this.#placePorts();
    this.#end(link);
  }

  /** Asks others for names of the outside, as far as they are those of a network. */
  resolve(network: string, resolvers: readonly Address[]): void {
    const link = this.#links.find(({ membership }) => membership?.network === network);
    if (link === undefined) return;
    link.configuration = { ...link.configuration, resolvers };
    this.#chooseResolvers();
  }

  /** Those of all networks in the order in which they lead outside; the host's where none has its own. */
  #chooseResolvers(): void {
    this.#resolvers.use(this.#links.flatMap(({ configuration }) => configuration.resolvers ?? []));
  }

  /** Makes other names of the container known on a network. */
  rename(network: string, names: readonly string[]): void {
    const link = this.#links.find(({ membership }) => membership?.network === network);
    if (link?.station === undefined) return;
    link.station.names.splice(0, Number.POSITIVE_INFINITY, ...names);
    link.shared?.rename(names);
  }

  #end(link: ServedLink): void {
    link.stack?.[Symbol.dispose]();
    link.shared?.[Symbol.dispose]();
    link.device.close();
    this.#tellServed(link);
  }

  /** Lets every port lead to where it can. */
  #placePorts(): void {
    for (const port of this.#ports) {
      const isFour = isVersion4(port.host.address);
      const link = this.#links.find(
        ({ stack, configuration }) =>
          stack !== undefined && leadsOutside(configuration) && (isFour || configuration.ipv6 !== undefined),
      );
      if (port.place?.stack === link?.stack) continue;
      port.place?.stack.unpublish(port.place.port);
      port.place = undefined;
      const address = link && (isFour ? link.configuration.ipv4 : link.configuration.ipv6)?.address;
      if (link?.stack === undefined || address === undefined) continue;
      const { protocol, host, socket } = port;
      // The socket remains for another place.
      const bound = { protocol, host, socket, [Symbol.dispose]: () => {} };
      const published = link.stack.publish(bound, { address, port: port.target.port });
      port.place = { stack: link.stack, port: published };
    }
  }

  #addressesOf(name: string): readonly Address[] | undefined {
    const outward = this.#links.find(({ configuration }) => leadsOutside(configuration));
    if (HOST_NAMES.includes(name)) return outward === undefined ? undefined : [hostGateway(outward.configuration)];
    const isCalled = ({ station, network }: KnownStation, wanted: string) =>
      station.names.some((own) => own === wanted || `${own}.${network}` === wanted);
    const found = this.#stations()
      .filter(
        (one) =>
          isCalled(one, name) || one.links.some(({ container, alias }) => alias === name && isCalled(one, container)),
      )
      .flatMap(({ station }) => station.addresses);
    return found.length === 0 ? undefined : found;
  }

  #nameOf(address: Address): string | undefined {
    const text = address.join();
    const found = this.#stations().find(({ station }) => station.addresses.some((other) => other.join() === text));
    const name = found?.station.names[0];
    return found === undefined || name === undefined ? undefined : `${name}.${found.network}`;
  }

  /** Everybody on any of the networks, this container as well. */
  #stations(): KnownStation[] {
    return this.#links.flatMap(({ station, shared, membership }) => {
      if (station === undefined || membership === undefined) return [];
      const network = membership.name.toLowerCase();
      return [station, ...(shared?.peers() ?? [])].map((one) => ({ station: one, network, links: membership.links }));
    });
  }

  /** Ends all connections, and closes all that was handed over. */
  [Symbol.dispose](): void {
    const links = this.#links;
    this.#links = [];
    this.#placePorts();
    for (const { socket } of this.#ports) socket.close();
    for (const link of links) this.#end(link);
  }
}

function isAddressOn({ configuration, membership }: ServedLink, address: Address): boolean {
  const subnet = subnetOf(configuration, address);
  return membership !== undefined && subnet !== undefined && isOnLink(subnet, address);
}
