import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, readdirSync, readlinkSync } from "node:fs";
import { HostSockets } from "../../../../src/network/tcp/host-sockets.ts";
import { Reactor } from "../../../../src/sys/reactor.ts";
import { CONFIGURATION } from "../stack-on-socket.ts";

/** The sockets that this process has open. */
function sockets(): string[] {
  return readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      return target.startsWith("socket:") ? [target] : [];
    } catch {
      // The directory itself, which is closed by now.
      return [];
    }
  });
}

function name(descriptor: number): string {
  return readlinkSync(`/proc/self/fd/${descriptor}`);
}

describe("HostSockets", () => {
  let reactor: Reactor;
  let before: readonly string[];
  const made = () => sockets().filter((socket) => !before.includes(socket));
  beforeEach(() => {
    reactor = new Reactor();
    before = sockets();
  });
  afterEach(() => {
    reactor[Symbol.dispose]();
    expect(made()).toEqual([]);
  });

  test("has one ready for the next connection, until it is told that there may be none", () => {
    using own = new HostSockets(reactor, CONFIGURATION);
    const first = own.open(4);
    const spare = made().filter((socket) => socket !== name(first));
    expect(spare).toHaveLength(1);
    const second = own.open(4);
    expect([name(second)]).toEqual(spare);
    expect(made()).toHaveLength(3);
    own.release();
    expect(made()).toHaveLength(2);
    for (const socket of [first, second]) closeSync(socket);
  });

  test("keeps one of each version, and leaves none behind", () => {
    const own = new HostSockets(reactor, CONFIGURATION);
    for (const version of [4, 6] as const) closeSync(own.open(version));
    expect(made()).toHaveLength(2);
    own[Symbol.dispose]();
    expect(made()).toEqual([]);
  });

  test("makes none ahead that is bound", () => {
    const outbound4 = { address: [0, 0, 0xffff, 0x7f000001] as const };
    using own = new HostSockets(reactor, { ...CONFIGURATION, outbound4 });
    closeSync(own.open(4));
    expect(made()).toEqual([]);
  });

  test("makes none after its end, for a connection of the last round", () => {
    const own = new HostSockets(reactor, CONFIGURATION);
    reactor.defer(() => {
      closeSync(own.open(4));
      own[Symbol.dispose]();
    });
    reactor.run();
    expect(made()).toEqual([]);
  });
});
