import type { Endpoint } from "../sys/internet-socket.ts";

/** A flow of a container's, as somebody who looks at it sees it. */
export interface FlowSummary {
  readonly protocol: "tcp" | "udp" | "icmp";
  /** The container's end, and the other as the container sees it. */
  readonly inside: Endpoint;
  readonly outside: Endpoint;
  /** Bytes of payload that the container has sent, and received. */
  readonly sent: number;
  readonly received: number;
  /** `established`, `connecting`, …; empty where there is no such thing. */
  readonly state: string;
  /** The name by which the container has found the other end. */
  readonly name: string | undefined;
}
