/*
 * Theory of operation: the switch of a network that containers share.
 *
 * There is no process for it. Each container's own supervisor reads the frames that its container sends, and a TAP's file
 * may be written to by whoever has it: so the supervisors of a network's containers give each other copies of their
 * devices' files, and a frame for another container is written to that one's device as it is, by the very process that
 * has read it. It is copied twice and wakes nobody between the two kernels. The virtio-net header goes with it: a frame
 * of 64 KiB whose checksum was left out arrives like that (link.ts), and the receiving kernel knows what it means.
 *
 * Frames for the stack's own address stay here: every container has its own router and resolver (stack.ts) under one
 * address, which no frame ever carries from one container to another. Frames for a group go to everybody and to the
 * stack. Frames for an address that nobody has made known go to everybody, as with any switch: a container may give its
 * device another address, or have a bridge behind it.
 *
 * Who is there. Each network has a directory, for its user alone, with a socket for each container that is on it. Who
 * joins first listens at a socket of its own, then connects to all that are there, and both sides of a connection send
 * their station and their device's file. So of two that join together at least one finds the other; when both do, they
 * have two connections, which count as one. A connection ends with its process, however that ends, and with the last
 * one the peer is forgotten and its device's file closed. A socket that nobody listens at was left by somebody killed:
 * it is replaced when that container joins again, and removed with the container.
 *
 * Frames that the container has sent already wait in its device until everybody who was there has answered: whoever is
 * up can be reached, and found by name, from the first packet on. A peer that does not answer (a stopped process) is
 * not waited for longer than a moment.
 *
 * Everything here belongs to one user, who could do all of this without us; between containers it gives nothing that a
 * cable would not: frames. On a network whose containers are not to reach each other (`isSeparated`) they only learn each
 * other's names. What a container sends under the stack's own hardware address is dropped, and what speaks for
 * the router or another container (address-guard.ts). Nobody learns from a frame who sends under which hardware address.
 */
import * as v from "valibot";
import { acceptConnection } from "../../sys/accept-connection.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { Address } from "../../sys/internet-socket.ts";
import {
  connectForMessages,
  listenForMessages,
  type Received,
  receiveMessage,
  sendMessage,
} from "../../sys/message-socket.ts";
import { directoryNames, makeDirectories, openFile, renameFile } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { Event, type Reactor, Timer } from "../../sys/reactor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { unlinkIfThere } from "../../sys/unlink-if-there.ts";
import { STACK_HARDWARE_ADDRESS } from "../ethernet.ts";
import type { FlowSummary } from "../flow-summary.ts";
import { completeHeadersLength, VIRTIO_HEADER_SIZE } from "../link.ts";
import { AddressGuard } from "./address-guard.ts";
import { LinkFlows } from "./link-flows.ts";
import { hardwareAddressOf, type Station, stationSchema } from "./station.ts";

/** Milliseconds that the peers have to answer. */
const PATIENCE = 2_000;
/** The first byte of an Ethernet address is the upper one of `high`; its last bit says that it is a group's. */
const GROUP_BIT = 0x0100;
const HIGH_FACTOR = 2 ** 32;

const messageSchema = v.pipe(v.string(), v.parseJson(), stationSchema);

/** Another container on the link. */
interface Peer {
  station: Station;
  readonly device: FileDescriptor;
  readonly connections: Set<Connection>;
}

interface Connection {
  readonly socket: FileDescriptor;
  /** Whether the other side has connected, and is waiting for an answer. */
  readonly isAccepted: boolean;
  peer: Peer | undefined;
}

export interface SharedLinkOptions {
  /** The network's; made when it is missing. */
  readonly directory: string;
  /** The file of the container's own device. */
  readonly device: number;
  readonly station: Station;
  /** The addresses under which every container has its router. */
  readonly router: readonly Address[];
  /** Whether nothing that the container sends is for others. */
  readonly isSeparated: boolean;
  /** Called once, when everybody who was there is known. */
  readonly onReady: () => void;
}

/** A container's place on a network that it shares; see the head of this file. */
export class SharedLink implements Disposable {
  readonly #reactor: Reactor;
  readonly #path: string;
  readonly #directory: FileDescriptor;
  readonly #device: number;
  readonly #listener: FileDescriptor;
  readonly #peers = new Map<string, Peer>();
  readonly #connections = new Set<Connection>();
  /** Connections that have not been answered yet. */
  readonly #awaited = new Set<Connection>();
  readonly #timer = new Timer();
  readonly #flows = new LinkFlows();
  readonly #guard: AddressGuard;
  readonly #isSeparated: boolean;
  #station: Station;
  #onReady: (() => void) | undefined;
  /** The devices of the peers, and which one has an address. */
  #devices: number[] = [];
  readonly #deviceOf = new Map<number, number>();

  /** @throws BunkerError when the directory or the socket cannot be made */
  constructor(reactor: Reactor, { directory, device, station, router, isSeparated, onReady }: SharedLinkOptions) {
    this.#reactor = reactor;
    this.#path = directory;
    this.#device = device;
    this.#station = station;
    this.#guard = new AddressGuard(router);
    this.#isSeparated = isSeparated;
    this.#onReady = onReady;
    makeDirectories(directory, 0o700);
    this.#directory = openFile(directory, OpenFlag.O_RDONLY);
    this.#listener = this.#listen();
    reactor.add(this.#timer.descriptor.number, Event.IN, () => this.#becomeReady());
    for (const name of directoryNames(directory)) if (name !== station.id && !name.startsWith(".")) this.#meet(name);
    if (this.#awaited.size > 0) this.#timer.start(PATIENCE);
    else reactor.defer(() => this.#becomeReady());
  }

  /** All stations but this one. */
  peers(): readonly Station[] {
    return [...this.#peers.values()].map(({ station }) => station);
  }

  /** What the container sends to others. */
  flows(): FlowSummary[] {
    return this.#flows.summaries();
  }

  /** Makes other names known. */
  rename(names: readonly string[]): void {
    this.#station = { ...this.#station, names: [...names] };
    for (const connection of this.#connections) this.#sendStation(connection, []);
  }

  /**
   * Takes a frame from the container to whom it is for.
   * @param offset of the Ethernet header in `view`
   * @param address of the frame in memory, with `length` bytes: from its virtio header on
   * @returns whether that was all: whether the frame is not for the stack
   */
  forward(view: DataView, offset: number, address: number, length: number): boolean {
    const { high: ownHigh, low: ownLow } = STACK_HARDWARE_ADDRESS;
    const high = view.getUint16(offset);
    const low = view.getUint32(offset + 2);
    if (high === ownHigh && low === ownLow) return false;
    if (view.getUint16(offset + 6) === ownHigh && view.getUint32(offset + 8) === ownLow) return true;
    if (!this.#guard.admits(view, offset, offset - VIRTIO_HEADER_SIZE + length)) return true;
    const isGroup = (high & GROUP_BIT) !== 0;
    if (this.#isSeparated) return !isGroup;
    completeHeadersLength(view, offset - VIRTIO_HEADER_SIZE, length);
    if (!isGroup) this.#flows.count(view, offset, offset - VIRTIO_HEADER_SIZE + length);
    const device = isGroup ? undefined : this.#deviceOf.get(high * HIGH_FACTOR + low);
    // What a device does not take is lost, as on any link.
    if (device !== undefined) systemCall(SystemCall.write, device, address, length);
    else for (const other of this.#devices) systemCall(SystemCall.write, other, address, length);
    return !isGroup;
  }

  /** Listens under another name until the socket answers: a name that is there can always be connected to. */
  #listen(): FileDescriptor {
    const { id } = this.#station;
    unlinkIfThere(`${this.#path}/.${id}`);
    const listener = listenForMessages(this.#directory.number, `.${id}`);
    renameFile(`${this.#path}/.${id}`, `${this.#path}/${id}`);
    this.#reactor.add(listener.number, Event.IN, () => {
      const socket = acceptConnection(this.#reactor, listener.number);
      if (socket !== undefined) this.#serve({ socket, isAccepted: true, peer: undefined });
    });
    return listener;
  }

  #meet(name: string): void {
    const socket = connectForMessages(this.#directory.number, name);
    // Nobody listens there any more.
    if (typeof socket === "number") return;
    const connection: Connection = { socket, isAccepted: false, peer: undefined };
    this.#awaited.add(connection);
    this.#serve(connection);
    this.#sendStation(connection, [this.#device]);
  }

  #serve(connection: Connection): void {
    const { number } = connection.socket;
    this.#connections.add(connection);
    this.#reactor.add(number, Event.IN, () => {
      const received = receiveMessage(number, false);
      if (received.kind === "message") this.#hear(connection, received);
      else if (received.kind === "end") this.#lose(connection);
    });
  }

  #sendStation({ socket }: Connection, descriptors: readonly number[]): void {
    sendMessage(socket.number, JSON.stringify(this.#station), descriptors);
  }

  #hear(connection: Connection, { text, descriptors }: Extract<Received, { kind: "message" }>): void {
    const { success, output } = v.safeParse(messageSchema, text);
    const [device] = descriptors;
    if (success && connection.peer !== undefined) connection.peer.station = output;
    else if (success && device !== undefined) {
      this.#admit(connection, output, device);
      if (connection.isAccepted) this.#sendStation(connection, [this.#device]);
    }
    if (!success || connection.peer?.device !== device) for (const descriptor of descriptors) descriptor.close();
    this.#list();
    if (this.#awaited.delete(connection) && this.#awaited.size === 0) this.#becomeReady();
  }

  /** Takes a peer in; one that is there already, by another connection, only gets one connection more. */
  #admit(connection: Connection, station: Station, device: FileDescriptor): void {
    const known = this.#peers.get(station.id);
    if (known !== undefined && known.station.run === station.run) {
      known.connections.add(connection);
      connection.peer = known;
      return;
    }
    if (known !== undefined) this.#forget(known);
    const peer: Peer = { station, device, connections: new Set([connection]) };
    connection.peer = peer;
    this.#peers.set(station.id, peer);
  }

  #lose(connection: Connection): void {
    const { socket, peer } = connection;
    this.#reactor.remove(socket.number);
    socket.close();
    this.#connections.delete(connection);
    peer?.connections.delete(connection);
    if (peer?.connections.size === 0) this.#forget(peer);
    this.#list();
    if (this.#awaited.delete(connection) && this.#awaited.size === 0) this.#becomeReady();
  }

  #forget(peer: Peer): void {
    const { id } = peer.station;
    // Unless the container's next run has taken its place.
    if (this.#peers.get(id) === peer) this.#peers.delete(id);
    peer.device.close();
  }

  /** Brings the lists that `forward` uses up to date. */
  #list(): void {
    const peers = [...this.#peers.values()];
    this.#devices = peers.map(({ device }) => device.number);
    this.#guard.update(peers.flatMap(({ station }) => station.addresses));
    this.#deviceOf.clear();
    for (const { station, device } of peers) {
      const { high, low } = hardwareAddressOf(station.hardwareAddress);
      this.#deviceOf.set(high * HIGH_FACTOR + low, device.number);
    }
  }

  #becomeReady(): void {
    const onReady = this.#onReady;
    // It was before, or has left.
    if (onReady === undefined) return;
    this.#onReady = undefined;
    this.#timer.start(0);
    onReady();
  }

  /** Leaves the network. */
  [Symbol.dispose](): void {
    this.#onReady = undefined;
    unlinkIfThere(`${this.#path}/${this.#station.id}`);
    this.#reactor.remove(this.#listener.number);
    this.#listener.close();
    for (const connection of [...this.#connections]) this.#lose(connection);
    this.#reactor.remove(this.#timer.descriptor.number);
    this.#timer[Symbol.dispose]();
    this.#directory.close();
  }
}
