/*
 * What goes over a container's networks. Its supervisor knows what the container has sent to other containers, and
 * those of the others know what it was sent (network/switch/link-flows.ts): a flow between two is put together here.
 */
import { parseAddress, sameAddress } from "../../network/address.ts";
import type { FlowSummary } from "../../network/flow-summary.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { Address, Endpoint } from "../../sys/internet-socket.ts";
import { lookUpContainer } from "../lifecycle/find-container.ts";
import { endpointsOfContainer, endpointsOfNetwork, type Endpoint as Place } from "../state/networks.ts";
import { connectToSupervisor, nextAnswer, tell } from "../supervisor/connect.ts";

/**
 * What goes over a container's networks, between it and the outside and between it and other containers.
 * @param supervisor the container's
 * @returns undefined when that has gone
 */
export function containerFlows(
  database: StateDatabase,
  data: string,
  id: string,
  supervisor: FileDescriptor,
): FlowSummary[] | undefined {
  const own = askForFlows(supervisor);
  if (own === undefined) return undefined;
  const flows = new Map(own.map((flow) => [keyOf(flow.inside, flow.outside, flow), flow]));
  for (const { endpoint, network } of endpointsOfContainer(database, id)) {
    const addresses = addressesOf(endpoint);
    for (const { container } of endpointsOfNetwork(database, network.id)) {
      if (container === id) continue;
      for (const theirs of flowsTo(addresses, data, container)) {
        const key = keyOf(theirs.outside, theirs.inside, theirs);
        const ours = flows.get(key);
        flows.set(key, ours === undefined ? turned(theirs, nameOf(container, network.name)) : joined(ours, theirs));
      }
    }
  }
  // Both ends have said all, or one has broken off.
  return [...flows.values()].filter(({ state }) => state !== "closed" && state !== "reset");

  function nameOf(container: string, network: string): string | undefined {
    const name = lookUpContainer(database, data, container)?.name;
    return name === undefined ? undefined : `${name}.${network}`.toLowerCase();
  }
}

/** Asks a supervisor; undefined when it has gone. */
function askForFlows(supervisor: FileDescriptor): FlowSummary[] | undefined {
  if (!tell(supervisor, { kind: "flows" })) return undefined;
  const flows: FlowSummary[] = [];
  for (;;) {
    const answer = nextAnswer(supervisor);
    if (answer === undefined) return undefined;
    if (answer.kind !== "flows") continue;
    if (answer.flows.length === 0) return flows;
    flows.push(...answer.flows.map((flow) => ({ ...flow, name: flow.name })));
  }
}

/** What another container has sent to some addresses; nothing when it does not run. */
function flowsTo(addresses: readonly Address[], data: string, container: string): FlowSummary[] {
  using supervisor = connectToSupervisor(data, container);
  const flows = supervisor === undefined ? [] : (askForFlows(supervisor) ?? []);
  return flows.filter(({ outside }) => addresses.some((address) => sameAddress(address, outside.address)));
}

function addressesOf({ ipv4, ipv6 }: Place): Address[] {
  return [ipv4, ipv6 ?? ""].map(parseAddress).filter((address) => address !== undefined);
}

function keyOf(inside: Endpoint, outside: Endpoint, { protocol }: FlowSummary): string {
  return [protocol, inside.address, inside.port, outside.address, outside.port].join();
}

/** A flow as its other end sees it. */
function turned({ inside, outside, sent, received, ...rest }: FlowSummary, name: string | undefined): FlowSummary {
  return { ...rest, inside: outside, outside: inside, sent: received, received: sent, name };
}

function joined(ours: FlowSummary, theirs: FlowSummary): FlowSummary {
  const states = [ours.state, theirs.state];
  const isClosed = states.every((state) => state === "closing");
  const state = isClosed ? "closed" : (["reset", "closing"].find((end) => states.includes(end)) ?? ours.state);
  return { ...ours, received: theirs.sent, state };
}
