import { predefinedNetwork } from "../../engine/network/predefined-networks.ts";
import type { Container } from "../../engine/state/containers.ts";
import { endpointsOfContainer } from "../../engine/state/networks.ts";
import type { StateDatabase } from "../../state/state-database.ts";

/** The networks that a container is on; what it shares with another container has a name only. */
export function networksOf(
  database: StateDatabase,
  { id, definition }: Container,
): { readonly names: readonly string[]; readonly ids: readonly string[] } {
  const places = endpointsOfContainer(database, id).map(({ network }) => network);
  const own = definition.membership === undefined ? [definition.network] : [];
  const all = [...own.flatMap((name) => predefinedNetwork(name) ?? []), ...places];
  return { names: [...own, ...places.map(({ name }) => name)], ids: all.map(({ id }) => id) };
}
