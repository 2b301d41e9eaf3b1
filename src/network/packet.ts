/*
 * A packet from the container, as the layers below the transport have read it. There is one such object for all
 * packets, filled anew each time: at hundreds of thousands of packets a second an object for each would be most of the
 * work. Offsets are those of the pool's memory.
 */
import type { Address } from "../sys/internet-socket.ts";

export class Packet {
  /** The slot that the packet lies in. */
  slot = 0;
  /** Set by whoever keeps the slot: it is then theirs to free. */
  isTaken = false;
  version: 4 | 6 = 4;
  /** The IP header's offset, the transport header's, and one past the last byte. */
  network = 0;
  transport = 0;
  end = 0;
  /** The transport protocol's number. */
  protocol = 0;
  /** TTL or hop limit. */
  hops = 0;
  /** Whether the transport's checksum was left to the device and so is right. */
  isChecksumOffloaded = false;
  /** The addresses' words; see `Address`. */
  source0 = 0;
  source1 = 0;
  source2 = 0;
  source3 = 0;
  destination0 = 0;
  destination1 = 0;
  destination2 = 0;
  destination3 = 0;

  get source(): Address {
    return [this.source0, this.source1, this.source2, this.source3];
  }

  get destination(): Address {
    return [this.destination0, this.destination1, this.destination2, this.destination3];
  }

  /** Takes the addresses of the IPv4 header at `network`, as mapped ones. */
  readAddresses4(view: DataView): void {
    const { network } = this;
    this.source0 = this.source1 = this.destination0 = this.destination1 = 0;
    this.source2 = this.destination2 = 0xffff;
    this.source3 = view.getInt32(network + 12);
    this.destination3 = view.getInt32(network + 16);
  }

  /** Takes the addresses of the IPv6 header at `network`. */
  readAddresses6(view: DataView): void {
    const { network } = this;
    this.source0 = view.getInt32(network + 8);
    this.source1 = view.getInt32(network + 12);
    this.source2 = view.getInt32(network + 16);
    this.source3 = view.getInt32(network + 20);
    this.destination0 = view.getInt32(network + 24);
    this.destination1 = view.getInt32(network + 28);
    this.destination2 = view.getInt32(network + 32);
    this.destination3 = view.getInt32(network + 36);
  }

  /** The sum over the pseudo-header of the transport's checksum; RFC 9293 section 3.1, RFC 8200 section 8.1. */
  pseudoHeaderSum(): number {
    // The words of a mapped address before its last add 0xffff, which is nothing to a checksum.
    const length = this.end - this.transport;
    return (
      halves(this.source0) +
      halves(this.source1) +
      halves(this.source2) +
      halves(this.source3) +
      halves(this.destination0) +
      halves(this.destination1) +
      halves(this.destination2) +
      halves(this.destination3) +
      halves(length) +
      this.protocol
    );
  }
}

function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

/** The sum over a pseudo-header; see `Packet.pseudoHeaderSum`. */
export function pseudoHeaderSum(source: Address, destination: Address, length: number, protocol: number): number {
  return (
    halves(source[0]) +
    halves(source[1]) +
    halves(source[2]) +
    halves(source[3]) +
    halves(destination[0]) +
    halves(destination[1]) +
    halves(destination[2]) +
    halves(destination[3]) +
    halves(length) +
    protocol
  );
}
