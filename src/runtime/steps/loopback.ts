import type { LaunchProgram } from "../../launch/program.ts";
import { closeSlot } from "./files.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
/** Bytes of `struct ifreq`, and where it has the flags. */
const INTERFACE_REQUEST_SIZE = 40;
const FLAGS_OFFSET = 16;

/**
 * Emits the start of the loopback interface, which a new network namespace has switched off; the kernel gives it
 * 127.0.0.1 and ::1 by itself. netdevice(7)
 */
export function startLoopback(program: LaunchProgram): void {
  const what = { operation: "start the network interface", object: "lo" };
  const request = Buffer.alloc(INTERFACE_REQUEST_SIZE);
  request.write("lo");
  request.writeUInt16LE(IFF_UP, FLAGS_OFFSET);
  const socket = program.slot("socket");
  program.call("socket", [AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0], what, { result: socket });
  program.call("ioctl", [socket, SIOCSIFFLAGS, program.bytes(request)], what);
  closeSlot(program, socket);
}
