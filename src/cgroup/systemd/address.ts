import { nodeFileSystem } from "../../sys/node-modules.ts";

/** Where systemd can be reached. */
export interface BusAddress {
  /** Of a unix socket. */
  readonly path: string;
  /** Whether systemd itself listens there, instead of a D-Bus daemon. */
  readonly isDirect: boolean;
}

/**
 * Where the caller's systemd listens: that of the system for root, else the user's own.
 * @param isRoot whether the caller is root in the initial user namespace
 * @returns undefined when there is none
 */
export function systemdAddress(
  environment: Readonly<Record<string, string | undefined>>,
  isRoot: boolean,
): BusAddress | undefined {
  const direct = (path: string) => ({ path, isDirect: true });
  const daemon = (path: string) => ({ path, isDirect: false });
  const addresses = isRoot
    ? [direct("/run/systemd/private"), daemon("/run/dbus/system_bus_socket")]
    : userAddresses(environment, direct, daemon);
  return addresses.find(({ path }) => nodeFileSystem().existsSync(path));
}

function userAddresses(
  environment: Readonly<Record<string, string | undefined>>,
  direct: (path: string) => BusAddress,
  daemon: (path: string) => BusAddress,
): BusAddress[] {
  const runtime = environment["XDG_RUNTIME_DIR"] ?? `/run/user/${process.geteuid?.()}`;
  const named = /(?:^|;)unix:path=([^,;]+)/.exec(environment["DBUS_SESSION_BUS_ADDRESS"] ?? "")?.[1];
  return [
    direct(`${runtime}/systemd/private`),
    ...(named === undefined ? [] : [daemon(named)]),
    daemon(`${runtime}/bus`),
  ];
}
