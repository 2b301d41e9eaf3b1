/*
 * ARP, RFC 826. The stack answers for every address but the container's own, by its one hardware address (proxy ARP):
 * a published port's client may have an address of the container's own network, and so may a host beyond. Who is not
 * there is told by ICMP once a packet comes. Probes for an address in use (RFC 5227) are only answered for addresses
 * that are the stack's, and so are all requests on a link that others share: they speak for themselves.
 */
import type { Ethernet } from "./ethernet.ts";
import { EtherType, NETWORK_OFFSET, STACK_HARDWARE_ADDRESS, writeHardwareAddress } from "./ethernet.ts";
import type { Link } from "./link.ts";

const HARDWARE_ETHERNET = 1;
const REQUEST = 1;
const REPLY = 2;
const SIZE = 28;

/**
 * Answers a request.
 * @param offset and `end`: of the ARP packet in `view`
 * @param speaksForItself whether it is silent about addresses that are not its own
 * @param isOwn whether an IPv4 address belongs to the stack
 */
export function answerArp(
  view: DataView,
  offset: number,
  end: number,
  link: Link,
  ethernet: Ethernet,
  speaksForItself: boolean,
  isOwn: (address: number) => boolean,
): void {
  if (end - offset < SIZE) return;
  if (view.getUint16(offset) !== HARDWARE_ETHERNET || view.getUint16(offset + 2) !== EtherType.IPV4) return;
  if (view.getUint16(offset + 4) !== 0x0604 || view.getUint16(offset + 6) !== REQUEST) return;
  const sender = view.getInt32(offset + 14);
  const target = view.getInt32(offset + 24);
  // An announcement, or a probe.
  if (sender === target || ((speaksForItself || sender === 0) && !isOwn(target))) return;
  const reply = link.headers.view;
  link.withoutOffload();
  ethernet.writeHeader(reply, EtherType.ARP);
  reply.setUint16(NETWORK_OFFSET, HARDWARE_ETHERNET);
  reply.setUint16(NETWORK_OFFSET + 2, EtherType.IPV4);
  reply.setUint16(NETWORK_OFFSET + 4, 0x0604);
  reply.setUint16(NETWORK_OFFSET + 6, REPLY);
  writeHardwareAddress(reply, NETWORK_OFFSET + 8, STACK_HARDWARE_ADDRESS);
  reply.setInt32(NETWORK_OFFSET + 14, target);
  writeHardwareAddress(reply, NETWORK_OFFSET + 18, ethernet.container);
  reply.setInt32(NETWORK_OFFSET + 24, sender);
  link.send(NETWORK_OFFSET + SIZE);
}
