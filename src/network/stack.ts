/*
 * Theory of operation: the user-mode network stack.
 *
 * A container has a network namespace of its own with one device, a TAP whose other side is a file of this process.
 * What the container's kernel sends comes out of that file as Ethernet frames, and what is written to it the container
 * receives. The stack is the whole rest of the world: it answers ARP and neighbor discovery, and for each connection,
 * conversation or ping of the container it has an ordinary socket of the host, as any program of the user could open. It
 * needs no right, no kernel module and no change to the host's network; what changes there (a VPN, another Wi-Fi)
 * holds for the next socket.
 *
 *   container's kernel <-- frames, 64 KiB with offload --> link.ts
 *      ethernet.ts: arp.ts | ipv4.ts, ipv6.ts with reassembly.ts
 *         ndp.ts, icmp-error.ts | datagrams.ts (UDP, echo) with dns/ | tcp/
 *            <-- sockets of the host -->
 *
 * On a link that several containers share, each has a stack of its own like this one, under the same address; frames for
 * other containers go past it (switch/shared-link.ts).
 *
 * All of it runs in the epoll loop of whoever made it, on one thread. Payload does not enter JavaScript: it is read from
 * one descriptor into a slot of the pool and written from there to the other. Headers are read and written in place.
 *
 * Nothing that a container sends can throw: each layer drops what it cannot read, and answers as Linux would. What is
 * held for it is bounded: memory by the pool, sockets and flows by tables whose oldest entries give way.
 */
import { BusyPoll } from "../sys/busy-poll.ts";
import type { Endpoint } from "../sys/internet-socket.ts";
import { isVersion4 } from "../sys/internet-socket.ts";
import { Event, type Reactor } from "../sys/reactor.ts";
import { version4Address } from "./address.ts";
import { answerArp } from "./arp.ts";
import { type NetworkConfiguration, speaksForItself } from "./configuration.ts";
import { Datagrams } from "./datagrams.ts";
import { isOwnAddress } from "./destination.ts";
import { DnsForwarder, type SendDatagram } from "./dns/forwarder.ts";
import type { LocalNames } from "./dns/local-names.ts";
import { Resolvers } from "./dns/resolvers.ts";
import { DnsStreams } from "./dns/streams.ts";
import { Egress } from "./egress.ts";
import { ETHERNET_OFFSET, Ethernet, EtherType, type HardwareAddress, NETWORK_OFFSET } from "./ethernet.ts";
import type { FlowSummary } from "./flow-summary.ts";
import { FramePool, NO_SLOT } from "./frame-pool.ts";
import { icmpError, sendErrorAbout } from "./icmp-error.ts";
import { IpProtocol } from "./ip-protocol.ts";
import { readIpv4 } from "./ipv4.ts";
import { readIpv6 } from "./ipv6.ts";
import { Link } from "./link.ts";
import { answerNeighborDiscovery } from "./ndp.ts";
import { Output } from "./output.ts";
import { Packet } from "./packet.ts";
import { type BoundPort, PublishedPort } from "./published-port.ts";
import { Reassembly } from "./reassembly.ts";
import { ShapedFrames, type Shaping } from "./shaping.ts";
import type { SharedLink } from "./switch/shared-link.ts";
import { Tcp } from "./tcp/tcp.ts";

/** Bytes that payload may take in the stack's memory. */
const MEMORY = 128 << 20;
/** Frames read in one go, before others have their turn. */
const FRAMES_PER_TURN = 64;

export interface StackOptions {
  /** The TAP's file, non-blocking, with virtio-net headers; it stays the caller's to close, after the stack's end. */
  readonly device: number;
  readonly configuration: NetworkConfiguration;
  /** Called with an errno when the device has failed, for instance because the container has deleted it. */
  readonly onEnd: (errno: number) => void;
  /** Who is asked for names that are not known here; the host's resolvers without it. */
  readonly resolvers?: Resolvers | undefined;
  /** The container's hardware address, where it is known. */
  readonly hardwareAddress?: HardwareAddress | undefined;
  /** The link that the container shares with others; `configuration.isShared`. */
  readonly link?: SharedLink | undefined;
  /** Names that are known here. */
  readonly names?: LocalNames | undefined;
  /** What may be reached outside; everything without it. */
  readonly egress?: Egress | undefined;
  /** Makes the traffic slower and worse; as it is without it. */
  readonly shaping?: Shaping | undefined;
}

/** What a stack holds. */
export interface StackUsage {
  readonly connections: number;
  readonly datagramFlows: number;
  /** Questions to resolvers. */
  readonly questions: number;
  /** Of the pool's memory. */
  readonly slots: number;
}

/** The network of one container; see the head of this file. */
export class Stack implements Disposable {
  readonly #reactor: Reactor;
  readonly #configuration: NetworkConfiguration;
  readonly #pool = new FramePool(MEMORY);
  readonly #packet = new Packet();
  readonly #ethernet: Ethernet;
  readonly #sharedLink: SharedLink | undefined;
  readonly #shaped: ShapedFrames | undefined;
  readonly #link: Link;
  readonly #output: Output;
  readonly #reassembly = new Reassembly(this.#pool);
  readonly #dns: DnsForwarder;
  readonly #dnsStreams: DnsStreams;
  readonly #datagrams: Datagrams;
  readonly #tcp: Tcp;
  readonly #ports = new Set<PublishedPort>();
  /** The slot that the next frame is read into. */
  #slot = this.#pool.allocateReserved();

  constructor(reactor: Reactor, options: StackOptions) {
    const {
      device,
      configuration,
      onEnd,
      resolvers = new Resolvers(),
      hardwareAddress,
      link,
      names,
      egress = new Egress(undefined),
      shaping,
    } = options;
    this.#reactor = reactor;
    reactor.busyPoll ??= new BusyPoll(() => performance.now());
    this.#configuration = configuration;
    this.#ethernet = new Ethernet(hardwareAddress);
    this.#sharedLink = link;
    this.#link = new Link(device, this.#pool, (errno) => {
      reactor.remove(device);
      onEnd(errno);
    });
    this.#output = new Output(this.#link, this.#ethernet);
    const reply: SendDatagram = (source, destination, address, length) =>
      this.#datagrams.sendUdp(source, destination, address, length);
    this.#dns = new DnsForwarder(reactor, this.#pool, resolvers, names, egress, reply);
    this.#datagrams = new Datagrams(
      reactor,
      this.#pool,
      this.#output,
      configuration,
      egress,
      shaping?.incoming,
      this.#dns,
    );
    this.#dnsStreams = new DnsStreams({ reactor, pool: this.#pool, resolvers, names, egress });
    this.#tcp = new Tcp(reactor, this.#pool, this.#output, configuration, egress, shaping?.incoming, () =>
      this.#dnsStreams.open(),
    );
    reactor.add(device, Event.IN, () => this.#readFrames());
    this.#shaped =
      shaping === undefined
        ? undefined
        : new ShapedFrames(reactor, this.#pool, device, shaping, (frames) => this.#handleHeld(frames));
  }

  /** How much there is at the moment. */
  get usage(): StackUsage {
    return {
      connections: this.#tcp.size,
      datagramFlows: this.#datagrams.size,
      questions: this.#dns.size,
      slots: this.#pool.used,
    };
  }

  /** The flows that there are at the moment. */
  flows(): FlowSummary[] {
    return [...this.#tcp.summaries(), ...this.#datagrams.summaries()];
  }

  /**
   * Lets a bound port of the host lead to a port of the container, until what is returned is disposed or the stack ends.
   * @param bound belongs to the stack from now on
   * @param target the container's end, of the same IP version
   */
  publish(bound: BoundPort, target: Endpoint): PublishedPort {
    if (isVersion4(bound.host.address) !== isVersion4(target.address)) throw new Error("a port keeps its IP version");
    const port = new PublishedPort(bound, target, this.#reactor, this.#tcp, this.#datagrams, this.#configuration);
    this.#ports.add(port);
    return port;
  }

  /** Closes a published port; connections that it has accepted go on. */
  unpublish(port: PublishedPort): void {
    if (this.#ports.delete(port)) port[Symbol.dispose]();
  }

  #readFrames(): void {
    this.#reactor.expectAnswer();
    this.#tcp.updateTime();
    const packet = this.#packet;
    for (let count = 0; count < FRAMES_PER_TURN; count++) {
      if (this.#shaped?.mayRead() === false) break;
      const length = this.#link.read(this.#slot);
      if (length === 0) break;
      const shaped = this.#shaped?.take(this.#slot, length) ?? "now";
      if (shaped === "held") this.#slot = this.#pool.allocateReserved();
      if (shaped !== "now") continue;
      packet.slot = this.#slot;
      packet.isTaken = false;
      this.#handleFrame(packet, length);
      if (packet.slot !== this.#slot) {
        // It was put together from fragments.
        if (!packet.isTaken) this.#pool.free(packet.slot);
      } else if (packet.isTaken) this.#slot = this.#pool.allocateReserved();
      if (this.#slot === NO_SLOT) throw new Error("no memory to read frames into");
    }
    this.#endTurn();
  }

  #endTurn(): void {
    this.#tcp.flush();
    if (this.#reassembly.size > 0) this.#reassembly.expire(performance.now());
  }

  /** Handles frames that were held back. */
  #handleHeld(frames: readonly { readonly slot: number; readonly length: number }[]): void {
    this.#tcp.updateTime();
    const packet = this.#packet;
    for (const { slot, length } of frames) {
      packet.slot = slot;
      packet.isTaken = false;
      this.#handleFrame(packet, length);
      // It was put together from fragments.
      if (packet.slot !== slot) this.#pool.free(slot);
      if (!packet.isTaken) this.#pool.free(packet.slot);
    }
    this.#endTurn();
  }

  #handleFrame(packet: Packet, length: number): void {
    const { view } = this.#pool;
    const start = this.#pool.offsetOf(packet.slot);
    const end = start + length;
    if (length < NETWORK_OFFSET) return;
    const isForwarded = this.#sharedLink?.forward(
      view,
      start + ETHERNET_OFFSET,
      this.#pool.memory.address + start,
      length,
    );
    if (isForwarded === true || !this.#ethernet.admit(view, start + ETHERNET_OFFSET)) return;
    packet.network = start + NETWORK_OFFSET;
    packet.end = end;
    packet.isChecksumOffloaded = this.#link.needsChecksum(packet.slot);
    switch (view.getUint16(start + ETHERNET_OFFSET + 12)) {
      case EtherType.IPV4:
        if (readIpv4(view, packet, this.#reassembly)) this.#handlePacket(packet);
        break;
      case EtherType.IPV6:
        if (this.#configuration.ipv6 !== undefined && readIpv6(view, packet, this.#reassembly)) {
          this.#handlePacket(packet);
        }
        break;
      case EtherType.ARP:
        answerArp(
          view,
          packet.network,
          end,
          this.#link,
          this.#ethernet,
          speaksForItself(this.#configuration),
          (address) => isOwnAddress(this.#configuration, version4Address(address)),
        );
        break;
    }
  }

  #handlePacket(packet: Packet): void {
    switch (packet.protocol) {
      case IpProtocol.TCP:
        this.#tcp.handle(packet);
        break;
      case IpProtocol.UDP:
        this.#datagrams.handleUdp(packet);
        break;
      case IpProtocol.ICMP:
        if (packet.version === 4) this.#datagrams.handleEcho(packet);
        else this.#refuseProtocol(packet);
        break;
      case IpProtocol.ICMPV6:
        if (packet.version === 4) this.#refuseProtocol(packet);
        else this.#handleIcmpv6(packet);
        break;
      default:
        this.#refuseProtocol(packet);
    }
  }

  #handleIcmpv6(packet: Packet): void {
    if (packet.end - packet.transport < 4) return;
    if (answerNeighborDiscovery(this.#pool.view, packet, this.#output, this.#configuration)) return;
    this.#datagrams.handleEcho(packet);
  }

  #refuseProtocol(packet: Packet): void {
    const { ipv4, ipv6 } = this.#configuration;
    const { version, destination0, destination3 } = packet;
    const isGroup = version === 4 ? destination3 >>> 28 >= 0xe : destination0 >>> 24 === 0xff;
    if (isGroup) return;
    const from = (version === 6 && ipv6 !== undefined ? ipv6 : ipv4).gateway;
    sendErrorAbout(this.#output, this.#pool, packet, from, icmpError(version, "protocol unreachable"));
  }

  /** Ends all flows; connections of the host are reset. */
  [Symbol.dispose](): void {
    this.#reactor.remove(this.#link.descriptor);
    for (const port of this.#ports) port[Symbol.dispose]();
    this.#tcp[Symbol.dispose]();
    this.#datagrams[Symbol.dispose]();
    this.#dns[Symbol.dispose]();
    this.#dnsStreams[Symbol.dispose]();
    this.#shaped?.[Symbol.dispose]();
    this.#reassembly[Symbol.dispose]();
    this.#pool[Symbol.dispose]();
  }
}
