/*
 * Theory of operation: what a container may reach outside, where that is restricted (`--allow-host`), and under which
 * names it knows what it reaches.
 *
 * The resolver tells which addresses a name has been answered with. Where there are rules, it only passes questions on
 * about names that are permitted, and so every address that has been answered is one that may be reached; besides those,
 * networks may be. Whatever else is sent is refused as if there were no way to it. A permitted name's owner decides where
 * it leads to, as everywhere; what shares an address with it is reached with it.
 *
 * Without rules everything may be reached, and the answers only give flows a name for those who look at them.
 *
 * An address is remembered for as long as there are not thousands of others that were answered later.
 */
import type { Address } from "../sys/internet-socket.ts";
import { contains, type Prefix } from "./prefix.ts";

const MOST_ADDRESSES = 8_192;
const ANY_BELOW = "*.";

/** What may be reached. */
export interface EgressRules {
  /** In lower case; one that begins with `*.` stands for all names below. */
  readonly names: readonly string[];
  readonly networks: readonly Prefix[];
}

export class Egress {
  readonly #rules: EgressRules | undefined;
  /** By address; what was answered longest ago is first. */
  readonly #names = new Map<string, string>();

  /** @param rules undefined where everything may be reached */
  constructor(rules: EgressRules | undefined) {
    this.#rules = rules;
  }

  get isRestricted(): boolean {
    return this.#rules !== undefined;
  }

  /** Whether a name may be asked for outside; in lower case, without a dot at its end. */
  permitsName(name: string): boolean {
    if (this.#rules === undefined) return true;
    return this.#rules.names.some((rule) =>
      rule.startsWith(ANY_BELOW) ? name.endsWith(rule.slice(ANY_BELOW.length - 1)) : name === rule,
    );
  }

  /** Whether an address outside may be reached. */
  permits(address: Address): boolean {
    if (this.#rules === undefined || this.#names.has(address.join())) return true;
    return this.#rules.networks.some((network) => contains(network, address));
  }

  /** Takes note of what a name has been answered with. */
  learn(name: string, addresses: readonly Address[]): void {
    for (const address of addresses) {
      const key = address.join();
      this.#names.delete(key);
      this.#names.set(key, name);
    }
    for (const oldest of this.#names.keys()) {
      if (this.#names.size <= MOST_ADDRESSES) return;
      this.#names.delete(oldest);
    }
  }

  /** The name that an address was answered for last. */
  nameOf(address: Address): string | undefined {
    return this.#names.get(address.join());
  }
}
