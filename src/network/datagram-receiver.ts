/*
 * Receiving several datagrams with one system call (recvmmsg(2)), each into a slot of its own, and the errors that come
 * back for a socket with IP_RECVERR, from its error queue.
 *
 * The slots are taken when they are first needed and given back by `release` when there are no datagrams any more.
 */
import { setInteger64 } from "../sys/integer64.ts";
import { type Endpoint, readSocketAddress } from "../sys/internet-socket.ts";
import { allocate } from "../sys/memory.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import type { FramePool } from "./frame-pool.ts";
import { NO_SLOT, SLOT_SIZE } from "./frame-pool.ts";
import type { IcmpError } from "./icmp-error.ts";

const BATCH = 16;
const MESSAGE_SIZE = 64;
const NAME_SIZE = 32;
const CONTROL_SIZE = 128;
const MSG_DONTWAIT = 0x40;
const MSG_ERRQUEUE = 0x2000;
/** struct cmsghdr, and the values of `ee_origin`. */
const CONTROL_HEADER_SIZE = 16;
const SO_EE_ORIGIN_ICMP = 2;
const SO_EE_ORIGIN_ICMP6 = 3;

/** An error from a socket's error queue. */
export interface QueuedError {
  readonly errno: number;
  /** As it came over the wire; undefined for an error of the host itself. */
  readonly icmp: IcmpError | undefined;
  /** Where it came from. */
  readonly offender: Endpoint | undefined;
}

export class DatagramReceiver {
  readonly #pool: FramePool;
  readonly #messages = allocate(BATCH * MESSAGE_SIZE);
  readonly #vectors = allocate(BATCH * 16);
  readonly #names = allocate(BATCH * NAME_SIZE);
  readonly #control = allocate(CONTROL_SIZE);
  readonly #slots: number[] = [];

  constructor(pool: FramePool) {
    this.#pool = pool;
    for (let index = 0; index < BATCH; index++) {
      setInteger64(this.#messages.view, index * MESSAGE_SIZE, this.#names.address + index * NAME_SIZE);
      setInteger64(this.#messages.view, index * MESSAGE_SIZE + 16, this.#vectors.address + index * 16);
      setInteger64(this.#messages.view, index * MESSAGE_SIZE + 24, 1);
    }
  }

  /**
   * Receives what is there.
   * @returns how many datagrams were received, to be asked for by `length`, `address` and `sender`; or the negated error number
   */
  receive(socket: number): number {
    if (this.#slots.length === 0 && !this.#takeSlots()) return 0;
    const { view, address } = this.#messages;
    const count = this.#slots.length;
    for (let index = 0; index < count; index++) view.setUint32(index * MESSAGE_SIZE + 8, NAME_SIZE, true);
    return systemCall(SystemCall.recvmmsg, socket, address, count, MSG_DONTWAIT, 0);
  }

  /** Bytes of a datagram that was received. */
  length(index: number): number {
    return this.#messages.view.getUint32(index * MESSAGE_SIZE + 56, true);
  }

  /** Where a datagram lies. */
  address(index: number): number {
    return this.#pool.memory.address + this.offset(index);
  }

  /** The same in the pool's memory. */
  offset(index: number): number {
    return this.#pool.offsetOf(this.#slots[index] ?? 0);
  }

  sender(index: number): Endpoint {
    return readSocketAddress(this.#names.view, index * NAME_SIZE);
  }

  /** The next error of a socket's, taken from its queue; undefined when there is none. */
  nextError(socket: number): QueuedError | undefined {
    const { view } = this.#messages;
    setInteger64(view, 32, this.#control.address);
    setInteger64(view, 40, CONTROL_SIZE);
    view.setUint32(8, NAME_SIZE, true);
    // What was sent is of no interest: no bytes of it are taken.
    setInteger64(view, 24, 0);
    const flags = MSG_DONTWAIT | MSG_ERRQUEUE;
    const result = systemCall(SystemCall.recvmsg, socket, this.#messages.address, flags);
    setInteger64(view, 24, 1);
    const length = view.getUint32(40, true);
    setInteger64(view, 32, 0);
    setInteger64(view, 40, 0);
    if (result < 0) return undefined;
    const control = this.#control.view;
    const errno = length >= CONTROL_HEADER_SIZE + 16 ? control.getUint32(CONTROL_HEADER_SIZE, true) : 0;
    const origin = control.getUint8(CONTROL_HEADER_SIZE + 4);
    const isIcmp = origin === SO_EE_ORIGIN_ICMP || origin === SO_EE_ORIGIN_ICMP6;
    if (!isIcmp) return { errno, icmp: undefined, offender: undefined };
    return {
      errno,
      icmp: {
        type: control.getUint8(CONTROL_HEADER_SIZE + 5),
        code: control.getUint8(CONTROL_HEADER_SIZE + 6),
        information: control.getUint32(CONTROL_HEADER_SIZE + 8, true),
      },
      offender: readSocketAddress(control, CONTROL_HEADER_SIZE + 16),
    };
  }

  /** Gives the slots back. */
  release(): void {
    for (const slot of this.#slots) this.#pool.free(slot);
    this.#slots.length = 0;
  }

  #takeSlots(): boolean {
    for (let index = 0; index < BATCH; index++) {
      const slot = this.#pool.allocate();
      if (slot === NO_SLOT) break;
      this.#slots.push(slot);
      const address = this.#pool.memory.address + this.#pool.offsetOf(slot);
      setInteger64(this.#vectors.view, index * 16, address);
      setInteger64(this.#vectors.view, index * 16 + 8, SLOT_SIZE);
    }
    return this.#slots.length > 0;
  }
}
