/*
 * A subtree of cgroup v2 for an ordinary user: the user's own systemd may make cgroups below its service, and makes one
 * for whoever asks over its bus (StartTransientUnit). `Delegate=yes` says that what is inside is ours to divide. The unit
 * is gone, with all that was made in its cgroup, as soon as its last process has ended: nothing is left after a kill -9.
 *
 * The processes are moved by systemd, because the way from a login session's cgroup to the service's leads through one
 * that only root may write to.
 */
import { existsSync } from "node:fs";
import { BunkerError } from "../../sys/error.ts";
import { Bus } from "./bus.ts";
import type { Message, Value } from "./message.ts";

const SYSTEMD = {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
} as const;

/** The socket of the bus at which the caller's systemd listens; undefined when there is none. */
export function systemdBusPath(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  if (process.geteuid?.() === 0) return ["/run/dbus/system_bus_socket"].find((path) => existsSync(path));
  const named = /(?:^|;)unix:path=([^,;]+)/.exec(environment["DBUS_SESSION_BUS_ADDRESS"] ?? "")?.[1];
  const runtime = environment["XDG_RUNTIME_DIR"] ?? `/run/user/${process.geteuid?.()}`;
  return [named, `${runtime}/bus`].find((path) => path !== undefined && existsSync(path));
}

/**
 * Moves processes into a new scope and waits until they are there.
 * @param bus from `systemdBusPath`
 * @param name of the unit, ending with `.scope`; no unit may have it
 * @throws BunkerError when systemd refuses or does not answer
 */
export function startTransientScope(
  bus: string,
  name: string,
  { description, pids }: { readonly description: string; readonly pids: readonly number[] },
): void {
  using connection = Bus.connect(bus);
  connection.call({
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "AddMatch",
    signature: "s",
    body: [`type='signal',interface='${SYSTEMD.interface}',member='JobRemoved'`],
  });
  connection.call({ ...SYSTEMD, member: "Subscribe" });
  const signals: Message[] = [];
  const property = (key: string, signature: string, value: Value): Value => [key, { signature, value }];
  const properties = [
    property("Description", "s", description),
    property("PIDs", "au", pids),
    property("Delegate", "b", true),
    property("CollectMode", "s", "inactive-or-failed"),
  ];
  const [job] = connection.call(
    { ...SYSTEMD, member: "StartTransientUnit", signature: "ssa(sv)a(sa(sv))", body: [name, "fail", properties, []] },
    (signal) => signals.push(signal),
  );
  for (;;) {
    const signal = signals.shift() ?? connection.nextSignal();
    // JobRemoved(id, job, unit, result)
    if (signal.member !== "JobRemoved" || signal.body[1] !== job) continue;
    if (signal.body[3] === "done") return;
    throw new BunkerError({
      code: "scope_failed",
      operation: "start",
      object: name,
      reason: `systemd says: ${signal.body[3]}`,
    });
  }
}

/**
 * Moves processes of the caller's into a group of a scope that runs.
 * @param bus from `systemdBusPath`
 * @param group below the scope's own: `/supervisor`
 * @throws BunkerError when systemd refuses or does not answer
 */
export function attachToScope(bus: string, name: string, group: string, pids: readonly number[]): void {
  using connection = Bus.connect(bus);
  connection.call({ ...SYSTEMD, member: "AttachProcessesToUnit", signature: "ssau", body: [name, group, pids] });
}
