/*
 * Ethernet (IEEE 802.3, RFC 894, RFC 2464): the frame around each packet. There are two stations, the container and
 * the stack, which answers for everybody else by one address.
 */
import { VIRTIO_HEADER_SIZE } from "./link.ts";

/** Bytes of the header of a frame without a tag. */
export const ETHERNET_HEADER_SIZE = 14;
/** Where the Ethernet header begins in a frame's memory, and the network layer's. */
export const ETHERNET_OFFSET = VIRTIO_HEADER_SIZE;
export const NETWORK_OFFSET = ETHERNET_OFFSET + ETHERNET_HEADER_SIZE;

/** What a frame carries. */
export const EtherType = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd } as const;

/** A hardware address, as its first two and its last four bytes. */
export interface HardwareAddress {
  readonly high: number;
  readonly low: number;
}

/** The stack's own; locally administered. The same as slirp's gateway has. */
export const STACK_HARDWARE_ADDRESS: HardwareAddress = { high: 0x5255, low: 0x0a000202 };

/** All stations. */
const BROADCAST: HardwareAddress = { high: 0xffff, low: 0xffffffff };

export function writeHardwareAddress(view: DataView, offset: number, { high, low }: HardwareAddress): void {
  view.setUint16(offset, high);
  view.setUint32(offset + 2, low);
}

/** Ethernet headers of one link, with the container's address as it was last seen. */
export class Ethernet {
  #container: HardwareAddress;

  /** @param container the container's address, where it is known */
  constructor(container = BROADCAST) {
    this.#container = container;
  }

  /** The container's hardware address, that of all stations before it has sent anything. */
  get container(): HardwareAddress {
    return this.#container;
  }

  /**
   * Learns the sender's address of a frame.
   * @param offset of the Ethernet header
   * @returns whether the frame is for the stack: addressed to it or to a group
   */
  admit(view: DataView, offset: number): boolean {
    const high = view.getUint16(offset);
    const isGroup = (high & 0x0100) !== 0;
    const { high: ownHigh, low: ownLow } = STACK_HARDWARE_ADDRESS;
    if (!isGroup && (high !== ownHigh || view.getUint32(offset + 2) !== ownLow)) return false;
    const senderHigh = view.getUint16(offset + 6);
    const senderLow = view.getUint32(offset + 8);
    // A group sends nothing.
    if ((senderHigh & 0x0100) !== 0) return false;
    if (senderHigh !== this.#container.high || senderLow !== this.#container.low) {
      this.#container = { high: senderHigh, low: senderLow };
    }
    return true;
  }

  /** Writes the header of a frame to the container. */
  writeHeader(view: DataView, etherType: number): void {
    writeHardwareAddress(view, ETHERNET_OFFSET, this.#container);
    writeHardwareAddress(view, ETHERNET_OFFSET + 6, STACK_HARDWARE_ADDRESS);
    view.setUint16(ETHERNET_OFFSET + 12, etherType);
  }
}
