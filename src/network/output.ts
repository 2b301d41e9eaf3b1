/*
 * Packets to the container: the headers of Ethernet and IP before a transport's.
 */
import { type Address, isVersion4 } from "../sys/internet-socket.ts";
import { foldSum } from "./checksum.ts";
import type { Ethernet } from "./ethernet.ts";
import { EtherType, NETWORK_OFFSET } from "./ethernet.ts";
import { IPV4_HEADER_SIZE, writeIpv4Header } from "./ipv4.ts";
import { IPV6_HEADER_SIZE, writeIpv6Header } from "./ipv6.ts";
import type { Link } from "./link.ts";
import { pseudoHeaderSum } from "./packet.ts";

/** What the stack's own packets have as TTL or hop limit. */
const DEFAULT_HOPS = 64;

/** What may be said about a packet besides its addresses. */
interface PacketOptions {
  readonly hops?: number;
  /** Whether routers inside the container may cut it. */
  readonly mayFragment?: boolean;
}

const NO_OPTIONS: PacketOptions = {};

export class Output {
  readonly link: Link;
  readonly #ethernet: Ethernet;

  constructor(link: Link, ethernet: Ethernet) {
    this.link = link;
    this.#ethernet = ethernet;
  }

  /** The memory that headers are written to. */
  get view(): DataView {
    return this.link.headers.view;
  }

  /**
   * Writes the headers of Ethernet and IP.
   * @param transportLength bytes behind them
   * @returns the transport header's offset in `view`
   */
  begin(
    protocol: number,
    source: Address,
    destination: Address,
    transportLength: number,
    { hops = DEFAULT_HOPS, mayFragment = false }: PacketOptions = NO_OPTIONS,
  ): number {
    const { view } = this;
    if (isVersion4(destination)) {
      this.#ethernet.writeHeader(view, EtherType.IPV4);
      writeIpv4Header(view, NETWORK_OFFSET, protocol, source[3], destination[3], transportLength, hops, mayFragment);
      return NETWORK_OFFSET + IPV4_HEADER_SIZE;
    }
    this.#ethernet.writeHeader(view, EtherType.IPV6);
    writeIpv6Header(view, NETWORK_OFFSET, protocol, source, destination, transportLength, hops);
    return NETWORK_OFFSET + IPV6_HEADER_SIZE;
  }

  /**
   * Leaves the transport's checksum to the kernel.
   * @param transport offset of its header
   * @param field of the checksum in it
   */
  offloadChecksum(
    protocol: number,
    source: Address,
    destination: Address,
    transportLength: number,
    transport: number,
    field: number,
  ): void {
    const sum = foldSum(pseudoHeaderSum(source, destination, transportLength, protocol));
    this.view.setUint16(transport + field, sum);
    this.link.offloadChecksum(transport, field);
  }
}
