/*
 * What is known of the networks that users make: rows of the state database, and which containers are on them.
 *
 * An endpoint is a container's place on a network, with the addresses that it has there for as long as it is on it,
 * whether it runs or not. It is noted in the transaction that finds the network and chooses the addresses, when the
 * container's directory is locked already and its row is still to come. So it counts when the container is known, or
 * somebody holds its lock: it is just being made. What a killed command has noted is neither, and is forgotten by
 * whoever looks next for addresses or removes the network.
 *
 * As in Docker, a network is in use while somebody holds the lock of a container on it: it runs, is started or made. It
 * can be removed while its containers do not run. They keep their places on it, so that it can be told what they miss;
 * its row goes with the last of them.
 */
import * as v from "valibot";
import { lazily } from "../../lazily.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { isHeld } from "./container-directory.ts";
import { isKnown } from "./containers.ts";

const mapSchema = lazily(() => v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.string())));

const subnetsSchema = lazily(() =>
  v.pipe(
    v.string(),
    v.parseJson(),
    v.array(
      v.object({
        /** `10.89.0.0/24`. */
        subnet: v.string(),
        gateway: v.string(),
        /** Where containers' addresses are taken from; undefined: from all of it. */
        range: v.optional(v.string()),
        /** Addresses that no container gets, by names that have no meaning. */
        reserved: v.record(v.string(), v.string()),
      }),
    ),
  ),
);

const resolversSchema = lazily(() => v.pipe(v.string(), v.parseJson(), v.array(v.string())));

const routesSchema = lazily(() =>
  v.pipe(
    v.string(),
    v.parseJson(),
    v.array(
      v.object({
        /** `10.1.0.0/16`. */
        destination: v.string(),
        gateway: v.string(),
        metric: v.number(),
      }),
    ),
  ),
);

const containerAliasSchema = lazily(() => v.object({ container: v.string(), alias: v.string() }));

const requestSchema = lazily(() =>
  v.pipe(
    v.string(),
    v.parseJson(),
    v.object({
      ipv4: v.optional(v.string()),
      ipv6: v.optional(v.string()),
      hardwareAddress: v.optional(v.string()),
      /** The network of the highest one leads outside; undefined for 0. */
      gatewayPriority: v.optional(v.number()),
      aliases: v.array(v.string()),
      /** Other containers by further names, which only this one knows. */
      links: v.optional(v.array(containerAliasSchema())),
      /** See network/place-options.ts. */
      options: v.optional(v.record(v.string(), v.string())),
    }),
  ),
);

/** Addresses of one IP version of a network, as people write them. */
export type NetworkSubnet = Readonly<v.InferOutput<ReturnType<typeof subnetsSchema>>[number]>;

/** A route of each container on a network, besides the default one. */
export type NetworkRoute = Readonly<v.InferOutput<ReturnType<typeof routesSchema>>[number]>;

/** What a container calls another one. */
export type ContainerAlias = Readonly<v.InferOutput<ReturnType<typeof containerAliasSchema>>>;

/** What a user asks of a container's place on a network. */
export type EndpointRequest = Readonly<v.InferOutput<ReturnType<typeof requestSchema>>>;

/** A network that a user has made. */
export interface Network {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly isInternal: boolean;
  readonly hasDns: boolean;
  /** The first of IPv4; at most one more, of IPv6. */
  readonly subnets: readonly NetworkSubnet[];
  /** Asked for names of the outside instead of the host's; none for those. */
  readonly resolvers: readonly string[];
  readonly routes: readonly NetworkRoute[];
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether it is no more, except as what containers that do not run were on. */
  readonly isRemoved: boolean;
}

/** A container's place on a network. */
export interface Endpoint {
  /** The network's id, and the container's. */
  readonly network: string;
  readonly container: string;
  /** Its own: 64 hexadecimal digits. */
  readonly id: string;
  /** The number of its device, and a part of its name unless that was given: `eth0`. */
  readonly position: number;
  readonly ipv4: string;
  readonly ipv6: string | undefined;
  readonly hardwareAddress: string;
  readonly request: EndpointRequest;
}

interface NetworkRow {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly internal: number;
  readonly dns: number;
  readonly subnets: string;
  readonly options: string;
  readonly labels: string;
  readonly removed: number;
  readonly resolvers: string;
  readonly routes: string;
}

interface EndpointRow {
  readonly network: string;
  readonly container: string;
  readonly id: string;
  readonly position: number;
  readonly ipv4: string;
  readonly ipv6: string | null;
  readonly hardware_address: string;
  readonly request: string;
}

function networkOf(row: NetworkRow): Network {
  return {
    id: row.id,
    name: row.name,
    created: row.created,
    isInternal: row.internal === 1,
    hasDns: row.dns === 1,
    subnets: v.parse(subnetsSchema(), row.subnets),
    resolvers: v.parse(resolversSchema(), row.resolvers),
    routes: v.parse(routesSchema(), row.routes),
    options: v.parse(mapSchema(), row.options),
    labels: v.parse(mapSchema(), row.labels),
    isRemoved: row.removed === 1,
  };
}

function endpointOf({
  network,
  container,
  id,
  position,
  ipv4,
  ipv6,
  hardware_address,
  request,
}: EndpointRow): Endpoint {
  return {
    network,
    container,
    id,
    position,
    ipv4,
    ipv6: ipv6 ?? undefined,
    hardwareAddress: hardware_address,
    request: v.parse(requestSchema(), request),
  };
}

/** 64 hexadecimal digits, as Docker's ids. */
export function newNetworkId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

/** All networks, by name. */
export function listNetworks(database: StateDatabase): Network[] {
  return database.all<NetworkRow>("SELECT * FROM network WHERE removed = 0 ORDER BY name").map(networkOf);
}

/**
 * The network that a name, an id, or the beginning of an id stands for, if there is one.
 * @throws BunkerError `ambiguous_network`
 */
export function lookUpNetwork(database: StateDatabase, reference: string): Network | undefined {
  const living = "SELECT * FROM network WHERE removed = 0 AND";
  const exact = database.get<NetworkRow>(`${living} (name = ?1 OR id = ?1)`, reference);
  if (exact !== undefined) return networkOf(exact);
  const isPrefix = /^[0-9a-f]{1,64}$/.test(reference);
  const [only, another] = isPrefix
    ? database.all<NetworkRow>(`${living} id >= ?1 AND id < ?1 || 'g' LIMIT 2`, reference)
    : [];
  if (another === undefined) return only === undefined ? undefined : networkOf(only);
  throw new BunkerError({
    code: "ambiguous_network",
    operation: "several networks have ids that begin with",
    object: reference,
    exitStatus: 1,
  });
}

/** Records a new network; part of a transaction that has seen that there is none of the name. */
export function insertNetwork(database: StateDatabase, network: Omit<Network, "isRemoved">): void {
  const { id, name, created, isInternal, hasDns, subnets, resolvers, routes, options, labels } = network;
  database.run(
    `INSERT INTO network (id, name, created, internal, dns, subnets, resolvers, routes, options, labels)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    name,
    created,
    isInternal ? 1 : 0,
    hasDns ? 1 : 0,
    JSON.stringify(subnets),
    JSON.stringify(resolvers),
    JSON.stringify(routes),
    JSON.stringify(options),
    JSON.stringify(labels),
  );
}

/** Records which resolvers a network's containers ask from now on. Part of a transaction that has seen the network. */
export function updateResolvers(database: StateDatabase, id: string, resolvers: readonly string[]): void {
  database.run("UPDATE network SET resolvers = ? WHERE id = ?", JSON.stringify(resolvers), id);
}

/** Removes a network that is not in use. Part of a transaction. */
export function deleteNetwork(database: StateDatabase, id: string): void {
  database.run("UPDATE network SET removed = 1 WHERE id = ?", id);
  forgetRemoved(database);
}

/** Forgets networks that are removed and that no container is on any more. */
function forgetRemoved(database: StateDatabase): void {
  database.run("DELETE FROM network WHERE removed = 1 AND id NOT IN (SELECT network FROM endpoint)");
}

/** Who is on a network, also those that do not run; forgets those that are no more. Part of a transaction. */
export function currentEndpoints(database: StateDatabase, data: string, network: string): Endpoint[] {
  const rows = database.all<EndpointRow>("SELECT * FROM endpoint WHERE network = ? ORDER BY container", network);
  return rows.map(endpointOf).filter(({ container }) => {
    if (isKnown(database, container) || isHeld(data, container)) return true;
    database.run("DELETE FROM endpoint WHERE container = ?", container);
    return false;
  });
}

/** Who uses a network: containers that run, or that somebody works on. */
export function activeEndpoints(database: StateDatabase, data: string, network: string): Endpoint[] {
  return endpointsOfNetwork(database, network).filter(({ container }) => isHeld(data, container));
}

/** Who is on a network, also those that do not run. */
export function endpointsOfNetwork(database: StateDatabase, network: string): Endpoint[] {
  return database
    .all<EndpointRow>("SELECT * FROM endpoint WHERE network = ? ORDER BY container", network)
    .map(endpointOf);
}

/** A container's places, in the order of its devices, each with its network. */
export function endpointsOfContainer(
  database: StateDatabase,
  container: string,
): { readonly endpoint: Endpoint; readonly network: Network }[] {
  return endpointRows(database, container).map((row) => {
    const network = database.get<NetworkRow>("SELECT * FROM network WHERE id = ?", row.network);
    if (network === undefined) throw new Error("an endpoint belongs to a network");
    return { endpoint: endpointOf(row), network: networkOf(network) };
  });
}

function endpointRows(database: StateDatabase, container: string): EndpointRow[] {
  return database.all<EndpointRow>("SELECT * FROM endpoint WHERE container = ? ORDER BY position", container);
}

/** Notes a container's place, before or after the container is recorded. */
export function insertEndpoint(database: StateDatabase, endpoint: Endpoint): void {
  const { network, container, id, position, ipv4, ipv6, hardwareAddress, request } = endpoint;
  database.run(
    `INSERT INTO endpoint (network, container, id, position, ipv4, ipv6, hardware_address, request)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    network,
    container,
    id,
    position,
    ipv4,
    ipv6 ?? null,
    hardwareAddress,
    JSON.stringify(request),
  );
}

/** Takes a container from a network. */
export function deleteEndpoint(database: StateDatabase, network: string, container: string): void {
  database.run("DELETE FROM endpoint WHERE network = ? AND container = ?", network, container);
  forgetRemoved(database);
}

/** Takes a container from all networks. */
export function deleteEndpoints(database: StateDatabase, container: string): void {
  // Most have none, and whoever has recorded the container's end has asked so already: it costs less to ask again.
  if (endpointRows(database, container).length === 0) return;
  if (database.run("DELETE FROM endpoint WHERE container = ?", container) > 0) forgetRemoved(database);
}
