import type { Address } from "../../sys/internet-socket.ts";

/** Names that the stack's resolver answers for itself, as they are at the moment. */
export interface LocalNames {
  /**
   * The addresses of a name.
   * @param name in lower case, without a dot at its end
   * @returns undefined for a name that is not one of these
   */
  readonly addressesOf: (name: string) => readonly Address[] | undefined;
  readonly nameOf: (address: Address) => string | undefined;
  /** Whether an address is where only these names are. */
  readonly isLocal: (address: Address) => boolean;
  /** Whether the resolvers outside may be asked about another name. */
  readonly asksOutside: (name: string) => boolean;
}
