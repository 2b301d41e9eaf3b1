/*
 * Messages of rtnetlink(7): devices, addresses and routes. Each asks for an acknowledgement, a message of type
 * NLMSG_ERROR whose first word is 0 or a negated error number.
 */
import { type Address, isVersion4 } from "./internet-socket.ts";

const HEADER_SIZE = 16;
/** Where in the messages that have one the device's index stands. */
export const DEVICE_INDEX_OFFSET = HEADER_SIZE + 4;
/** Where in an acknowledgement the negated error number stands. */
export const ERROR_OFFSET = HEADER_SIZE;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const AF_INET = 2;
const AF_INET6 = 10;
const IFF_UP = 1;
const IFLA_ADDRESS = 1;
const IFLA_MTU = 4;
const IFLA_TXQLEN = 13;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 2;
const IFA_F_PERMANENT = 0x80;
const RTA_DST = 1;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

function message(type: number, flags: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32LE(HEADER_SIZE + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK | flags, 6);
  return Buffer.concat([header, body]);
}

function attribute(type: number, value: Uint8Array): Buffer {
  const length = 4 + value.length;
  const bytes = Buffer.alloc((length + 3) & ~3);
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}

function addressBytes(address: Address): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [index, value] of address.entries()) bytes.writeInt32BE(value, 4 * index);
  return isVersion4(address) ? bytes.subarray(12) : bytes;
}

/** What a device is to become. */
export interface DeviceSettings {
  readonly mtu?: number;
  /** Frames that wait to be read. */
  readonly queueLength?: number;
  /** Six bytes. */
  readonly hardwareAddress?: Uint8Array;
}

/** Sets up a device and switches it on; its index is to be put at DEVICE_INDEX_OFFSET. */
export function deviceUpMessage({ mtu, queueLength, hardwareAddress }: DeviceSettings): Buffer {
  const information = Buffer.alloc(16);
  information.writeUInt32LE(IFF_UP, 8);
  information.writeUInt32LE(IFF_UP, 12);
  return message(
    RTM_NEWLINK,
    0,
    information,
    ...(hardwareAddress === undefined ? [] : [attribute(IFLA_ADDRESS, hardwareAddress)]),
    ...(mtu === undefined ? [] : [attribute(IFLA_MTU, word(mtu))]),
    ...(queueLength === undefined ? [] : [attribute(IFLA_TXQLEN, word(queueLength))]),
  );
}

/** Gives a device an address, without asking the link whether it is free; its index is to be put at DEVICE_INDEX_OFFSET. */
export function addressMessage(address: Address, prefixLength: number): Buffer {
  const isFour = isVersion4(address);
  const information = Buffer.alloc(8);
  information.set([isFour ? AF_INET : AF_INET6, prefixLength, IFA_F_PERMANENT | (isFour ? 0 : IFA_F_NODAD)]);
  const bytes = addressBytes(address);
  return message(
    RTM_NEWADDR,
    NLM_F_CREATE | NLM_F_EXCL,
    information,
    attribute(IFA_LOCAL, bytes),
    attribute(IFA_ADDRESS, bytes),
  );
}

/** Removes a device; its index is to be put at DEVICE_INDEX_OFFSET. */
export function deleteDeviceMessage(): Buffer {
  return message(RTM_DELLINK, 0, Buffer.alloc(16));
}

/** A route by a gateway. */
export interface Route {
  /** Of the same IP version as the gateway; undefined for everything. */
  readonly destination?: { readonly address: Address; readonly length: number } | undefined;
  readonly gateway: Address;
  /** The lower, the sooner it is taken; undefined for the kernel's own. */
  readonly metric?: number | undefined;
}

/** Makes a route, besides others that may be there to the same destination. */
export function routeMessage({ destination, gateway, metric }: Route): Buffer {
  const information = Buffer.alloc(12);
  const family = isVersion4(gateway) ? AF_INET : AF_INET6;
  information.set([family, destination?.length ?? 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST]);
  return message(
    RTM_NEWROUTE,
    NLM_F_CREATE,
    information,
    ...(destination === undefined ? [] : [attribute(RTA_DST, addressBytes(destination.address))]),
    attribute(RTA_GATEWAY, addressBytes(gateway)),
    ...(metric === undefined ? [] : [attribute(RTA_PRIORITY, word(metric))]),
  );
}
