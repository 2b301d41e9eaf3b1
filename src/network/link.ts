/*
 * The link to the container: a TAP device's file, or anything that takes and gives one frame with each call.
 *
 * Before each frame stands the kernel's struct virtio_net_hdr (IFF_VNET_HDR). It is what makes the stack fast: with it
 * the two kernels need not cut data into segments of the MTU nor compute checksums over payload that never leaves
 * memory. A frame from the container holds up to 64 KiB of one TCP connection and says NEEDS_CSUM: its checksum was
 * left to the device, so there is nothing to verify. A frame to the container says the same, and with `gso_size` that
 * it stands for several segments.
 *
 * The headers of a frame to the container are put together in one small block of memory, used for each frame anew; the
 * payload follows from wherever it lies, in the same writev(2). `hdr_len` says where it begins even if the frame is one
 * segment only: the kernel then puts the payload at the beginning of a page of its own. Without it the kernel takes the
 * headers to end with the checksum, and all payload is copied to two bytes behind a page's beginning, which takes three
 * times as long.
 *
 * A frame that the device does not take is lost, as on any link; the protocols above know what to do. When the device
 * itself is gone (the container's root has deleted it), `onEnd` is told, once. The open file keeps the namespace alive, so
 * the end of the container's processes has to be seen by other means.
 */
import { Errno } from "../sys/errno.ts";
import { setInteger64 } from "../sys/integer64.ts";
import { allocate } from "../sys/memory.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import type { FramePool } from "./frame-pool.ts";
import { SLOT_SIZE } from "./frame-pool.ts";

/** Bytes of struct virtio_net_hdr. */
export const VIRTIO_HEADER_SIZE = 10;
const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
/** Values of its `gso_type`. */
export const Segmentation = { NONE: 0, TCP_IPV4: 1, TCP_IPV6: 4 } as const;
/** The kernel's word on a frame: its checksum was left to us. */
const NEEDS_CHECKSUM_OFFSET = 0;
/** Of `hdr_len`. */
const HEADERS_LENGTH_OFFSET = 2;

/** Of `csum_start` and of `csum_offset`, and the latter's value for TCP. */
const CHECKSUM_START_OFFSET = 6;
const CHECKSUM_FIELD_OFFSET = 8;
const TCP_CHECKSUM_FIELD = 16;
/** The byte of TCP's header whose upper half is its length in words. */
const TCP_LENGTH_OFFSET = 12;

/** Virtio, Ethernet, IPv6 and TCP with all options, and what an ICMP error quotes. */
const HEADERS_SIZE = 1536;

/** Errors of a frame, not of the device, which says EIO while it is switched off. */
const LOST_FRAME: ReadonlySet<number> = new Set([
  -Errno.EAGAIN,
  -Errno.EIO,
  -Errno.EINTR,
  -Errno.ENOBUFS,
  -Errno.ENOMEM,
  -Errno.EINVAL,
  -Errno.EMSGSIZE,
]);

/**
 * Says in a frame that comes from one device and goes to another where its payload begins. A kernel says so only of a
 * frame that stands for several segments, but needs it of the others as well; see the head of this file.
 * @param frame where its virtio header begins
 * @param length bytes with that header
 */
export function completeHeadersLength(view: DataView, frame: number, length: number): void {
  if ((view.getUint8(frame + NEEDS_CHECKSUM_OFFSET) & VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0) return;
  if (view.getUint16(frame + HEADERS_LENGTH_OFFSET, true) !== 0) return;
  if (view.getUint16(frame + CHECKSUM_FIELD_OFFSET, true) !== TCP_CHECKSUM_FIELD) return;
  const transport = view.getUint16(frame + CHECKSUM_START_OFFSET, true);
  const lengthOffset = VIRTIO_HEADER_SIZE + transport + TCP_LENGTH_OFFSET;
  if (lengthOffset >= length) return;
  const words = view.getUint8(frame + lengthOffset) >>> 4;
  view.setUint16(frame + HEADERS_LENGTH_OFFSET, transport + (words << 2), true);
}

export class Link {
  /** The headers of the frame that is sent next. */
  readonly headers = allocate(HEADERS_SIZE);
  readonly descriptor: number;
  readonly #vector = allocate(32);
  readonly #pool: FramePool;
  readonly #onEnd: (errno: number) => void;
  #ended = false;

  /**
   * @param descriptor non-blocking
   * @param onEnd called with the errno when the device has failed
   */
  constructor(descriptor: number, pool: FramePool, onEnd: (errno: number) => void) {
    this.descriptor = descriptor;
    this.#pool = pool;
    this.#onEnd = onEnd;
    setInteger64(this.#vector.view, 0, this.headers.address);
  }

  /**
   * Reads the next frame into a slot.
   * @returns its length with the virtio header, or 0 when there is none
   */
  read(slot: number): number {
    const address = this.#pool.memory.address + this.#pool.offsetOf(slot);
    const result = systemCall(SystemCall.read, this.descriptor, address, SLOT_SIZE);
    if (result > 0) return result;
    // The end of the file: a socket whose other side is closed.
    if (result === 0 || !LOST_FRAME.has(result)) this.#end(-result);
    return 0;
  }

  /** Whether the checksum of a frame that was read into a slot was left to the device. */
  needsChecksum(slot: number): boolean {
    const flags = this.#pool.view.getUint8(this.#pool.offsetOf(slot) + NEEDS_CHECKSUM_OFFSET);
    return (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0;
  }

  /** Says that the frame in `headers` is complete as it is. */
  withoutOffload(): void {
    const { view } = this.headers;
    view.setInt32(0, 0, true);
    view.setInt32(4, 0, true);
    view.setInt16(8, 0, true);
  }

  /**
   * Leaves the transport's checksum to the kernel.
   * @param transport offset of the transport header in `headers`
   * @param field offset of the checksum in it, which holds the folded sum of the pseudo-header
   */
  offloadChecksum(transport: number, field: number): void {
    const { view } = this.headers;
    view.setInt32(0, VIRTIO_NET_HDR_F_NEEDS_CSUM, true);
    view.setUint16(4, 0, true);
    view.setUint16(CHECKSUM_START_OFFSET, transport - VIRTIO_HEADER_SIZE, true);
    view.setUint16(CHECKSUM_FIELD_OFFSET, field, true);
  }

  /**
   * Makes the frame stand for several segments; after `offloadChecksum`.
   * @param type of `Segmentation`
   * @param segmentSize payload bytes of one segment
   */
  offloadSegmentation(type: number, segmentSize: number): void {
    const { view } = this.headers;
    view.setUint8(1, type);
    view.setUint16(4, segmentSize, true);
  }

  /** Sends the frame of the first `length` bytes of `headers`. */
  send(length: number): void {
    this.#sent(systemCall(SystemCall.write, this.descriptor, this.headers.address, length));
  }

  /**
   * Sends a frame with payload.
   * @param headersLength bytes of `headers`
   * @param address and `length`: of the payload, at least 1 byte
   */
  sendWithPayload(headersLength: number, address: number, length: number): void {
    this.headers.view.setUint16(HEADERS_LENGTH_OFFSET, headersLength - VIRTIO_HEADER_SIZE, true);
    const { view } = this.#vector;
    view.setUint32(8, headersLength, true);
    setInteger64(view, 16, address);
    view.setUint32(24, length, true);
    this.#sent(systemCall(SystemCall.writev, this.descriptor, this.#vector.address, 2));
  }

  #sent(result: number): void {
    if (result < 0 && !LOST_FRAME.has(result)) this.#end(-result);
  }

  #end(errno: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(errno);
  }
}
