import type { SlirpSettings } from "../specification/run-options.ts";

/** A network of its own about which nothing else is said. */
export const DEFAULT_SLIRP: SlirpSettings = {
  allowHostLoopback: false,
  mtu: undefined,
  ipv6: undefined,
  subnet: undefined,
  outbound4: undefined,
  outbound6: undefined,
};
