import type { Address } from "../sys/internet-socket.ts";

/** The stack's and the container's addresses of one IP version. */
export interface Subnet {
  readonly prefixLength: number;
  /** The container's. */
  readonly address: Address;
  /** The stack's own: the router, by which the host may be reached. */
  readonly gateway: Address;
  /** The stack's own: the resolver. */
  readonly dns: Address;
}

/** Where the host's sockets are bound to, for outbound flows of one IP version. */
export interface OutboundBinding {
  readonly address?: Address;
  /** The name of an interface. */
  readonly device?: string;
}

/** How a container's network is to be. */
export interface NetworkConfiguration {
  readonly mtu: number;
  readonly ipv4: Subnet;
  /** undefined: no IPv6. */
  readonly ipv6?: Subnet | undefined;
  /** Whether the gateway's address leads to the host's loopback. */
  readonly allowHostLoopback: boolean;
  /** Whether the resolver's address answers. */
  readonly answerDns: boolean;
  /** Whether routers' advertisements let the container configure IPv6 by itself. */
  readonly advertise: boolean;
  /**
   * Whether other containers are on the link. Then the stack speaks for its own addresses only, and who is not on the
   * link is not looked for outside by an address of the link's.
   */
  readonly isShared?: boolean;
  /**
   * Whether the containers on the link do not reach each other. The stack then speaks for all of them, to tell that.
   */
  readonly isSeparated?: boolean;
  /** Whether nothing outside of the link is reached. */
  readonly isInternal?: boolean;
  /** Whether the container has a default route over the link, if anything outside is reached; it has one without this. */
  readonly hasDefaultRoute?: boolean;
  /** The resolvers that are asked instead of the host's. */
  readonly resolvers?: readonly Address[];
  readonly outbound4?: OutboundBinding;
  readonly outbound6?: OutboundBinding;
}

/** Whether a container may reach what is outside over the link without knowing about it. */
export function leadsOutside({ isInternal, hasDefaultRoute }: NetworkConfiguration): boolean {
  return isInternal !== true && hasDefaultRoute !== false;
}

/** Whether the stack only speaks for its own addresses on the link. */
export function speaksForItself({ isShared, isSeparated }: NetworkConfiguration): boolean {
  return isShared === true && isSeparated !== true;
}
