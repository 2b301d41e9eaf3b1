/*
 * Theory of operation: who may speak for which address, on a network that containers share.
 *
 * A container with the right to send raw frames (CAP_NET_RAW, which containers have) can write anything into them. The
 * supervisor that reads its frames is the one place that they all pass, and it is not the container's: so what speaks
 * for the router or for another container of the network is dropped there, before anybody sees it. That is
 *
 *   packets whose source is such an address,
 *   ARP from such a sender (RFC 826), with which the receiver would learn a wrong way to it,
 *   neighbor discovery (RFC 4861) that says the same, and all that only routers say: advertisements and redirects.
 *
 * Addresses that belong to nobody are free: programs move them between containers (VRRP). A frame with a tag of no VLAN
 * (IEEE 802.1Q, priority only) is taken by Linux as if it had none, so it is dropped rather than looked into; those
 * of VLANs only reach who has made a device for them.
 */
import type { Address } from "../../sys/internet-socket.ts";
import { isVersion4 } from "../../sys/internet-socket.ts";
import { ETHERNET_HEADER_SIZE, EtherType } from "../ethernet.ts";
import { IpProtocol } from "../ip-protocol.ts";
import { IPV6_HEADER_SIZE } from "../ipv6.ts";
import { ROUTER_ADDRESS } from "../ndp.ts";

const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
const VLAN_IDENTIFIER = 0x0fff;
/** Hop-by-hop options, routing, destination options: RFC 8200 section 4. */
const EXTENSION_HEADERS: ReadonlySet<number> = new Set([0, 43, 60]);
const MOST_EXTENSION_HEADERS = 8;
const ROUTER_ADVERTISEMENT = 134;
const NEIGHBOR_ADVERTISEMENT = 136;
const REDIRECT = 137;

/** The addresses that are not the container's to speak for; see the head of this file. */
export class AddressGuard {
  readonly #router: readonly Address[];
  readonly #version4 = new Set<number>();
  /** By the last word. */
  readonly #version6 = new Map<number, Address[]>();

  /** @param router the addresses of the network's router */
  constructor(router: readonly Address[]) {
    this.#router = router;
    this.update([]);
  }

  /** Takes note of the addresses of all others on the network. */
  update(others: readonly Address[]): void {
    this.#version4.clear();
    this.#version6.clear();
    for (const address of [...this.#router, ROUTER_ADDRESS, ...others]) {
      if (isVersion4(address)) this.#version4.add(address[3]);
      else this.#version6.set(address[3], [...(this.#version6.get(address[3]) ?? []), address]);
    }
  }

  /**
   * Whether a frame may go to others.
   * @param ethernet and `end`: where it lies in `view`
   */
  admits(view: DataView, ethernet: number, end: number): boolean {
    const network = ethernet + ETHERNET_HEADER_SIZE;
    if (network + 4 > end) return true;
    const type = view.getUint16(network - 2);
    // What is too short to have a sender is nothing to anybody.
    if (type === EtherType.IPV4) return network + 20 > end || !this.#version4.has(view.getInt32(network + 12));
    if (type === EtherType.IPV6) return this.#admitsIpv6(view, network, end);
    if (type === EtherType.ARP) return network + 28 > end || !this.#version4.has(view.getInt32(network + 14));
    return !VLAN_TAGS.has(type) || (view.getUint16(network) & VLAN_IDENTIFIER) !== 0;
  }

  #admitsIpv6(view: DataView, network: number, end: number): boolean {
    if (network + IPV6_HEADER_SIZE > end) return true;
    if (this.#isGuarded(view, network + 8)) return false;
    let next = view.getUint8(network + 6);
    let offset = network + IPV6_HEADER_SIZE;
    for (let count = 0; EXTENSION_HEADERS.has(next); count++) {
      if (count === MOST_EXTENSION_HEADERS || offset + 8 > end) return false;
      next = view.getUint8(offset);
      offset += 8 * (view.getUint8(offset + 1) + 1);
    }
    // What comes in fragments is no neighbor discovery (RFC 6980).
    if (next !== IpProtocol.ICMPV6 || offset + 4 > end) return true;
    const message = view.getUint8(offset);
    if (message === ROUTER_ADVERTISEMENT || message === REDIRECT) return false;
    return message !== NEIGHBOR_ADVERTISEMENT || offset + 24 > end || !this.#isGuarded(view, offset + 8);
  }

  /** Whether the IPv6 address at an offset is one of those. */
  #isGuarded(view: DataView, offset: number): boolean {
    const candidates = this.#version6.get(view.getInt32(offset + 12));
    if (candidates === undefined) return false;
    return candidates.some(
      ([first, second, third]) =>
        view.getInt32(offset) === first && view.getInt32(offset + 4) === second && view.getInt32(offset + 8) === third,
    );
  }
}
