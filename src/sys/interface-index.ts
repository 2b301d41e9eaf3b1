import { FileDescriptor } from "./file-descriptor.ts";
import { openSocket } from "./internet-socket.ts";
import { allocate } from "./memory.ts";
import { SystemCall, systemCall } from "./system-call.ts";

/** Asks ioctl(2) for an interface's index; netdevice(7). */
export const SIOCGIFINDEX = 0x8933;
/** Bytes of an interface's name with the NUL at its end. */
export const IFNAMSIZ = 16;
/** Bytes of `struct ifreq`. */
export const IFREQ_SIZE = 40;

/**
 * The index of a network interface in this process's network namespace; if_nametoindex(3). (What /sys shows is of the
 * namespace that it was mounted in.)
 * @returns undefined if there is none of the name
 */
export function interfaceIndex(name: string): number | undefined {
  if (Buffer.byteLength(name) >= IFNAMSIZ) return undefined;
  const opened = openSocket("udp", 4);
  if (opened < 0) return undefined;
  using socket = new FileDescriptor(opened);
  const { address, buffer, view } = allocate(IFREQ_SIZE);
  buffer.write(name);
  return systemCall(SystemCall.ioctl, socket.number, SIOCGIFINDEX, address) < 0
    ? undefined
    : view.getInt32(IFNAMSIZ, true);
}
