import type { Container } from "../../engine/state/containers.ts";
import { endpointsOfContainer } from "../../engine/state/networks.ts";
import type { StateDatabase } from "../../state/state-database.ts";

/** The networks that a container is on; one that nobody has made, such as `host`, has a name only. */
export function networksOf(
  database: StateDatabase,
  { id, definition }: Container,
): { readonly names: readonly string[]; readonly ids: readonly string[] } {
  const places = endpointsOfContainer(database, id).map(({ network }) => network);
  const own = definition.membership === undefined ? [definition.network] : [];
  return { names: [...own, ...places.map(({ name }) => name)], ids: places.map(({ id }) => id) };
}
