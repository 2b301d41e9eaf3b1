/* The plan of a container's network as it stands in the container's definition; network-plan.ts makes it. */
import * as v from "valibot";
import { lazily } from "../../lazily.ts";

const word = lazily(() => v.pipe(v.number(), v.integer()));
const port = lazily(() => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535)));
export const addressSchema = lazily(() => v.pipe(v.tuple([word(), word(), word(), word()]), v.readonly()));
const subnetSchema = lazily(() =>
  v.object({
    prefixLength: word(),
    address: addressSchema(),
    gateway: addressSchema(),
    dns: addressSchema(),
  }),
);
const bindingSchema = lazily(() =>
  v.object({ address: v.exactOptional(addressSchema()), device: v.exactOptional(v.string()) }),
);
const protocolSchema = lazily(() => v.picklist(["tcp", "udp"]));

/** `NetworkConfiguration`, when it comes from elsewhere. */
export const networkConfigurationSchema = lazily(() =>
  v.object({
    mtu: word(),
    ipv4: subnetSchema(),
    ipv6: v.optional(subnetSchema()),
    allowHostLoopback: v.boolean(),
    answerDns: v.boolean(),
    advertise: v.boolean(),
    isShared: v.exactOptional(v.boolean()),
    isSeparated: v.exactOptional(v.boolean()),
    isInternal: v.exactOptional(v.boolean()),
    hasDefaultRoute: v.exactOptional(v.boolean()),
    resolvers: v.exactOptional(v.pipe(v.array(addressSchema()), v.readonly())),
    outbound4: v.exactOptional(bindingSchema()),
    outbound6: v.exactOptional(bindingSchema()),
  }),
);

const endpointSchema = lazily(() => v.object({ address: addressSchema(), port: port() }));

/** `EgressRules`, when they come from elsewhere. */
export const egressRulesSchema = lazily(() =>
  v.object({
    names: v.array(v.string()),
    networks: v.array(v.object({ address: addressSchema(), length: word() })),
  }),
);

/** `ShapingRules`, when they come from elsewhere. */
export const shapingRulesSchema = lazily(() =>
  v.object({ rate: v.optional(v.number()), delay: v.number(), loss: v.number() }),
);

/** A bound port of the host, and where it leads to in the container. */
export const portBindingSchema = lazily(() =>
  v.object({ protocol: protocolSchema(), host: endpointSchema(), target: endpointSchema() }),
);

const forwardSchema = lazily(() =>
  v.object({
    protocol: protocolSchema(),
    /** Of the host: one, or that of all addresses of each IP version. */
    addresses: v.array(addressSchema()),
    /** Of the host, to choose from; undefined: any that is free. */
    host: v.optional(v.object({ first: port(), last: port() })),
    containerPort: port(),
  }),
);

export const networkPlanSchema = lazily(() =>
  v.object({
    configuration: networkConfigurationSchema(),
    /** Of the device; undefined for one of the kernel's choice. */
    hardwareAddress: v.optional(v.string()),
    forwards: v.array(forwardSchema()),
    /** undefined: everything may be reached. */
    egress: v.optional(egressRulesSchema()),
    /** undefined: its traffic is as it is. */
    shaping: v.optional(shapingRulesSchema()),
  }),
);

/** What a container that is on users' networks has besides its places there. */
export const membershipSchema = lazily(() =>
  v.object({
    forwards: v.array(forwardSchema()),
    /** Asked for names of the outside instead of the host's; none for those. */
    resolvers: v.array(addressSchema()),
    /** undefined: everything may be reached. */
    egress: v.optional(egressRulesSchema()),
    /** undefined: its traffic is as it is. */
    shaping: v.optional(shapingRulesSchema()),
  }),
);

/** A container's place on a network that it shares with others. */
export const linkMembershipSchema = lazily(() =>
  v.object({
    /** The network's id and its name. */
    network: v.string(),
    name: v.string(),
    hardwareAddress: v.string(),
    /** What the container is called there. */
    names: v.array(v.string()),
    /** What it alone calls others there. */
    links: v.array(v.object({ container: v.string(), alias: v.string() })),
  }),
);

export type NetworkPlan = Readonly<v.InferOutput<ReturnType<typeof networkPlanSchema>>>;
export type LinkMembership = Readonly<v.InferOutput<ReturnType<typeof linkMembershipSchema>>>;
export type Membership = Readonly<v.InferOutput<ReturnType<typeof membershipSchema>>>;
export type PortForward = NetworkPlan["forwards"][number];
export type PortBinding = Readonly<v.InferOutput<ReturnType<typeof portBindingSchema>>>;
