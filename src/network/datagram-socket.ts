/*
 * The host's socket of a flow of datagrams, which is connected to the other end; see datagrams.ts. It keeps the address of
 * the host that it has begun with. The kernel says that this one is gone by an error of sending with IPv4, and not at all
 * with IPv6, nor when the way leads elsewhere now; so another socket is asked where it would begin.
 */
import { Errno } from "../sys/errno.ts";
import {
  connect,
  type Endpoint,
  isVersion4,
  localEndpoint,
  openSocket,
  SocketOption,
  setOption,
} from "../sys/internet-socket.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { sameAddress } from "./address.ts";
import type { NetworkConfiguration } from "./configuration.ts";
import { IpProtocol } from "./ip-protocol.ts";
import { bindOutbound } from "./outbound.ts";

/**
 * Opens a socket for a flow.
 * @param protocol UDP; anything else stands for echoes
 * @param host the other end, as the host sees it
 * @returns the negated error number when there is no way to it
 */
export function openDatagramSocket(protocol: number, host: Endpoint, configuration: NetworkConfiguration): number {
  const version = isVersion4(host.address) ? 4 : 6;
  const socket = openSocket(protocol === IpProtocol.UDP ? "udp" : "ping", version);
  if (socket < 0) return socket;
  const bound = bindOutbound(socket, version, configuration);
  const result = bound < 0 ? bound : connect(socket, host.address, host.port);
  if (result < 0) {
    systemCall(SystemCall.close, socket);
    return result;
  }
  setOption(socket, version === 4 ? SocketOption.IP_RECVERR : SocketOption.IPV6_RECVERR, 1);
  return socket;
}

/** Whether an error of sending says that a socket's address, or the way from there, is gone. */
export function isWithoutWay(errno: number): boolean {
  switch (errno) {
    case Errno.EINVAL:
    case Errno.ENODEV:
    case Errno.ENETDOWN:
    case Errno.ENETUNREACH:
    case Errno.EHOSTUNREACH:
    case Errno.EADDRNOTAVAIL:
      return true;
    default:
      return false;
  }
}

/** Whether a socket that is opened now to the same end begins at another address of the host's. */
export function isElsewhere(
  socket: number,
  protocol: number,
  host: Endpoint,
  configuration: NetworkConfiguration,
): boolean {
  const another = openDatagramSocket(protocol, host, configuration);
  if (another < 0) return false;
  const [own, other] = [localEndpoint(socket), localEndpoint(another)];
  systemCall(SystemCall.close, another);
  return own !== undefined && other !== undefined && !sameAddress(own.address, other.address);
}
