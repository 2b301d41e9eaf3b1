import type { Address } from "../../sys/internet-socket.ts";
import type { Reactor } from "../../sys/reactor.ts";
import type { FramePool } from "../frame-pool.ts";
import type { Output } from "../output.ts";
import type { TcpConnection } from "./connection.ts";
import type { ToContainer } from "./to-container.ts";
import type { ToHost } from "./to-host.ts";

/** What a connection has of the stack around it. */
export interface TcpServices {
  readonly pool: FramePool;
  readonly output: Output;
  readonly reactor: Reactor;
  readonly mtu: number;
  /** Milliseconds on a monotonic clock, as of the last `updateTime`. */
  readonly now: number;
  updateTime(): void;
  /** The number that a new connection's bytes are counted from; RFC 6528. */
  initialSequence(): number;
  /** A TCP socket of the host for an outbound connection, or the negated error number. */
  openSocket(version: 4 | 6): number;
  /** The stack's own address, which errors come from. */
  router(version: 4 | 6): Address;
  /** Whether a new connection may let acknowledgements wait for answers. */
  readonly isPatient: boolean;
  /** Calls `acknowledge` after the frames that are there have been read. */
  acknowledgeLater(direction: ToHost): void;
  /** Calls `acknowledgeWithoutAnswer` in some milliseconds. */
  acknowledgeInTime(direction: ToHost): void;
  /** Says that a program has waited for an acknowledgement that waited for an answer. */
  isImpatient(): void;
  /** How many bytes from outside may be read now; if none, `readWhenFree`. */
  receivable(): number;
  /** Says how much was read. */
  countReceived(bytes: number): void;
  /** Calls `resumeReading` when there may be memory again, and data may be read. */
  readWhenFree(direction: ToContainer): void;
  /** Calls `tick` from time to time as long as it says so. */
  startTimer(connection: TcpConnection): void;
  /** Says that a connection is not half open any more. */
  connected(connection: TcpConnection): void;
  /** Says that a connection only waits for its end. */
  lingers(connection: TcpConnection): void;
  /** Says that a connection is no more. */
  closed(connection: TcpConnection): void;
}
