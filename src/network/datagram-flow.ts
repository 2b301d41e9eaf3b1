import type { Address, Endpoint } from "../sys/internet-socket.ts";

/** What hosts send with; another TTL of the container's is passed on. */
const USUAL_HOPS = 64;

/** A flow of datagrams; see datagrams.ts. */
export class DatagramFlow {
  readonly protocol: number;
  readonly inside: Address;
  readonly insidePort: number;
  readonly outside: Address;
  readonly outsidePort: number;
  hash = 0;
  nextInBucket: DatagramFlow | undefined = undefined;
  /** The socket of its own, or of the published port whose client this is. */
  readonly socket: number;
  /** The client, for a flow of a published port's. */
  readonly client: Endpoint | undefined;
  hops = USUAL_HOPS;
  /** Whether something has ever come back, and whether the latest datagram was the container's. */
  isAnswered = false;
  awaitsAnswer = false;
  lastUsed = 0;
  /** Bytes that the container has sent, and that it was sent. */
  sent = 0;
  received = 0;

  constructor(
    protocol: number,
    inside: Endpoint,
    outside: Endpoint,
    socket: number,
    client: Endpoint | undefined = undefined,
  ) {
    this.protocol = protocol;
    this.inside = inside.address;
    this.insidePort = inside.port;
    this.outside = outside.address;
    this.outsidePort = outside.port;
    this.socket = socket;
    this.client = client;
  }
}
