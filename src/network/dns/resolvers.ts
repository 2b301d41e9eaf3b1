/*
 * The host's resolvers as they are now: the `nameserver` lines of its resolv.conf(5). The file is looked at for each
 * question, and read when it is another than before: a VPN or another Wi-Fi network counts at once.
 *
 * A resolver that has not answered goes behind those that have, until the file changes.
 */
import { interfaceIndex } from "../../sys/interface-index.ts";
import type { Address, Endpoint } from "../../sys/internet-socket.ts";
import { readText, statusIfThere } from "../../sys/named-file.ts";
import { LOOPBACK_4, parseAddress, sameAddress } from "../address.ts";
import { DNS_PORT } from "../destination.ts";

/** Where a resolver listens. */
export interface Resolver extends Endpoint {
  /** The index of the interface that a link-local address belongs to, else 0. */
  readonly scope: number;
}

/** What resolv.conf(5) says that there is without a `nameserver` line. */
const DEFAULT: Resolver = { address: LOOPBACK_4, port: DNS_PORT, scope: 0 };

/**
 * Reads the resolvers of a resolv.conf(5).
 * @param indexOfZone the index of the interface that a zone names, undefined if there is none
 */
export function parseResolvers(text: string, indexOfZone: (zone: string) => number | undefined): Resolver[] {
  return text.split("\n").flatMap((line) => {
    const [, server = ""] = /^\s*nameserver\s+(\S+)/.exec(line) ?? [];
    const [name = "", zone] = server.split("%");
    const address = parseAddress(name);
    const scope = zone === undefined ? 0 : indexOfZone(zone);
    return address === undefined || scope === undefined ? [] : [{ address, port: DNS_PORT, scope }];
  });
}

function indexOfZone(zone: string): number | undefined {
  return /^\d+$/.test(zone) ? Number(zone) : interfaceIndex(zone);
}

export class Resolvers {
  readonly #path: string;
  #isFollowing = true;
  #version = "";
  #resolvers: Resolver[] = [DEFAULT];

  /** @param path a resolv.conf(5) */
  constructor(path = "/etc/resolv.conf") {
    this.#path = path;
  }

  /** Takes others than the file's from now on; with no addresses those of the file again. */
  use(addresses: readonly Address[]): void {
    this.#isFollowing = addresses.length === 0;
    this.#version = "";
    const distinct = new Map(addresses.map((address) => [address.join(), address]));
    this.#resolvers = this.#isFollowing
      ? [DEFAULT]
      : [...distinct.values()].map((address) => ({ address, port: DNS_PORT, scope: 0 }));
  }

  /** The resolvers in the order in which they are to be asked; at least one. */
  current(): readonly Resolver[] {
    if (!this.#isFollowing) return this.#resolvers;
    try {
      const status = statusIfThere(this.#path);
      if (status === undefined) return this.#resolvers;
      const { fileSystem, inode, size, modified } = status;
      const version = [fileSystem, inode, size, modified.seconds, modified.nanoseconds].join(" ");
      if (version !== this.#version) {
        const resolvers = parseResolvers(readText(this.#path), indexOfZone);
        this.#resolvers = resolvers.length > 0 ? resolvers : [DEFAULT];
        this.#version = version;
      }
    } catch {
      // Being replaced at this moment, or unreadable: those that were known before.
    }
    return this.#resolvers;
  }

  /** Says that a resolver has failed. */
  failed(resolver: Resolver): void {
    const isFailed = ({ address, port }: Resolver) => sameAddress(address, resolver.address) && port === resolver.port;
    const failed = this.#resolvers.filter(isFailed);
    this.#resolvers = [...this.#resolvers.filter((other) => !isFailed(other)), ...failed];
  }
}
