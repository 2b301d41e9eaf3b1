/*
 * A stack whose link is a socket pair instead of a TAP, so that a test is the container: it sends what frames it likes,
 * and sees those that come back. The sockets on the other side are real ones.
 */

import { parseAddress } from "../../../src/network/address.ts";
import type { NetworkConfiguration } from "../../../src/network/configuration.ts";
import { Resolvers } from "../../../src/network/dns/resolvers.ts";
import { VIRTIO_HEADER_SIZE } from "../../../src/network/link.ts";
import { Stack, type StackUsage } from "../../../src/network/stack.ts";
import { type Address, setOption } from "../../../src/sys/internet-socket.ts";
import { allocate } from "../../../src/sys/memory.ts";
import { Reactor } from "../../../src/sys/reactor.ts";
import { check, SystemCall, systemCall } from "../../../src/sys/system-call.ts";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const FRAME_SIZE = 70_000;

export const STACK_MAC = "52550a000202";
export const CONTAINER_MAC = "020000000001";

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

export const CONFIGURATION: NetworkConfiguration = {
  mtu: 65520,
  ipv4: { prefixLength: 24, address: address("10.0.2.100"), gateway: address("10.0.2.2"), dns: address("10.0.2.3") },
  ipv6: { prefixLength: 64, address: address("fd00::100"), gateway: address("fd00::2"), dns: address("fd00::3") },
  allowHostLoopback: true,
  answerDns: true,
  advertise: true,
};

export class StackOnSocket implements Disposable {
  readonly reactor = new Reactor();
  readonly stack: Stack;
  /** The errno that the stack has told as the link's end. */
  ended: number | undefined;
  readonly #ours: number;
  readonly #theirs: number;
  readonly #memory = allocate(FRAME_SIZE);

  /** @param resolvers who is asked for names; the machine's without it */
  constructor(resolvers = new Resolvers()) {
    const pair = allocate(8);
    const type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
    check(systemCall(SystemCall.socketpair, AF_UNIX, type, 0, pair.address), "make a socket pair");
    this.#ours = pair.view.getInt32(0, true);
    this.#theirs = pair.view.getInt32(4, true);
    // So that only a test decides what gets lost; SO_SNDBUFFORCE.
    for (const end of [this.#ours, this.#theirs]) setOption(end, [1, 32], 64 << 20);
    this.stack = new Stack(this.reactor, {
      device: this.#theirs,
      configuration: CONFIGURATION,
      resolvers,
      onEnd: (errno) => {
        this.ended = errno;
      },
    });
  }

  /** The container's end, for frames with virtio headers. */
  get link(): number {
    return this.#ours;
  }

  get usage(): StackUsage {
    return this.stack.usage;
  }

  /** Sends an Ethernet frame, without a virtio header. */
  send(frame: Uint8Array): void {
    const { buffer, address } = this.#memory;
    buffer.fill(0, 0, VIRTIO_HEADER_SIZE);
    buffer.set(frame, VIRTIO_HEADER_SIZE);
    systemCall(SystemCall.write, this.#ours, address, VIRTIO_HEADER_SIZE + frame.length);
  }

  /** Lets the stack do what there is to do. */
  work(): void {
    this.reactor.defer(() => this.reactor.stop());
    this.reactor.run();
  }

  /** The frames that have come since, without virtio headers. */
  received(): Buffer[] {
    return this.receivedFromDevice().map((frame) => frame.subarray(VIRTIO_HEADER_SIZE));
  }

  /** The frames that have come since, with virtio headers. */
  receivedFromDevice(): Buffer[] {
    const frames: Buffer[] = [];
    for (;;) {
      const length = systemCall(SystemCall.read, this.#ours, this.#memory.address, FRAME_SIZE);
      if (length <= 0) return frames;
      frames.push(Buffer.from(this.#memory.buffer.subarray(0, length)));
    }
  }

  /** Sends a frame, and returns what comes back at once. */
  exchange(frame: Uint8Array): Buffer[] {
    this.send(frame);
    this.work();
    return this.received();
  }

  /** Closes the container's side. */
  closeLink(): void {
    systemCall(SystemCall.close, this.#ours);
  }

  [Symbol.dispose](): void {
    this.stack[Symbol.dispose]();
    this.reactor[Symbol.dispose]();
    systemCall(SystemCall.close, this.#theirs);
    systemCall(SystemCall.close, this.#ours);
  }
}
