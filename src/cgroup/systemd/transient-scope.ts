/*
 * A subtree of cgroup v2 for an ordinary user: the user's own systemd may make cgroups below its service, and makes one
 * for whoever asks it (StartTransientUnit). `Delegate=yes` says that what is inside is ours to divide. The unit is gone,
 * with all that was made in its cgroup, as soon as its last process has ended: nothing is left after a kill -9.
 *
 * The processes are moved by systemd, because the way from a login session's cgroup to the service's leads through one
 * that only root may write to.
 *
 * systemd takes some milliseconds, in which whoever asks has other things to do: the question and the wait for its answer
 * are apart.
 */
import { BunkerError } from "../../sys/error.ts";
import type { BusAddress } from "./address.ts";
import { Bus, callFailed, DAEMON } from "./bus.ts";
import { type Call, MessageType, type Value } from "./message.ts";

const SYSTEMD = {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
} as const;

const UNIT_EXISTS = "org.freedesktop.systemd1.UnitExists";
/** How often a name is asked for that an ended unit still has, and the milliseconds in between. */
const MOST_ATTEMPTS = 200;
const PAUSE = 10;

/** A property of a unit: its name, the type of its value as a D-Bus signature, and the value. */
export type UnitProperty = readonly [name: string, signature: string, value: Value];

/** A scope that is wanted. */
export interface ScopeRequest {
  /** Of the unit, ending with `.scope`. */
  readonly name: string;
  readonly description: string;
  readonly pids: readonly number[];
  /** The slice that it is in; without it systemd's usual one. */
  readonly slice?: string | undefined;
  readonly properties?: readonly UnitProperty[] | undefined;
  /** How long an answer is waited for, in seconds; the usual time without it. */
  readonly patience?: number | undefined;
}

/** A scope that systemd has been asked for. */
export interface RequestedScope extends Disposable {
  /**
   * Waits until the processes are there.
   * @throws BunkerError when systemd refuses or does not answer
   */
  readonly settle: () => void;
}

/**
 * Asks for processes to be moved into a new scope.
 * @param address from `systemdAddress`
 * @throws BunkerError when systemd is not there
 */
export function requestScope(address: BusAddress, request: ScopeRequest): RequestedScope {
  const bus = Bus.connect(address, request.patience);
  try {
    if (!address.isDirect) {
      const match = `type='signal',interface='${SYSTEMD.interface}',member='JobRemoved'`;
      bus.send({ ...DAEMON, member: "AddMatch", signature: "s", body: [match] });
      bus.send({ ...SYSTEMD, member: "Subscribe" });
    }
    const start = startCall(request);
    const serial = bus.send(start);
    return {
      settle: () => awaitScope(bus, request.name, start, serial),
      [Symbol.dispose]: () => bus[Symbol.dispose](),
    };
  } catch (error) {
    bus[Symbol.dispose]();
    throw error;
  }
}

function startCall({ name, description, pids, slice, properties = [] }: ScopeRequest): Call {
  const all: UnitProperty[] = [
    ["Description", "s", description],
    ["PIDs", "au", pids],
    ["Delegate", "b", true],
    ["CollectMode", "s", "inactive-or-failed"],
    ...(slice === undefined ? [] : [["Slice", "s", slice] satisfies UnitProperty]),
    ...properties,
  ];
  const values = all.map(([key, signature, value]) => [key, { signature, value }]);
  return { ...SYSTEMD, member: "StartTransientUnit", signature: "ssa(sv)a(sa(sv))", body: [name, "fail", values, []] };
}

function awaitScope(bus: Bus, name: string, start: Call, firstSerial: number): void {
  let serial = firstSerial;
  for (let attempts = 1; ; ) {
    const message = bus.next();
    if (message.type === MessageType.error && message.replySerial === serial) {
      // The unit of a container that had the same name a moment ago goes on its own.
      if (message.errorName !== UNIT_EXISTS || attempts === MOST_ATTEMPTS) throw callFailed(start, message);
      attempts++;
      Bun.sleepSync(PAUSE);
      serial = bus.send(start);
      continue;
    }
    // JobRemoved(id, job, unit, result)
    if (message.member !== "JobRemoved" || message.body[2] !== name) continue;
    const result = message.body[3];
    if (result === "done") return;
    throw new BunkerError({
      code: "scope_failed",
      operation: "start",
      object: name,
      reason: `systemd says: ${result}`,
    });
  }
}

/**
 * Moves processes of the caller's into a group of a scope that runs.
 * @param group below the scope's own: `/supervisor`
 * @throws BunkerError when systemd refuses or does not answer
 */
export function attachToScope(address: BusAddress, name: string, group: string, pids: readonly number[]): void {
  using bus = Bus.connect(address);
  bus.call({ ...SYSTEMD, member: "AttachProcessesToUnit", signature: "ssau", body: [name, group, pids] });
}
