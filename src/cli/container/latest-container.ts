import { findContainer, latestContainer } from "../../engine/lifecycle/find-container.ts";
import type { Container } from "../../engine/state/containers.ts";
import type { StateDatabase } from "../../state/state-database.ts";

/**
 * The container that a command for one is about, whose syntax says `insteadOfFirst: ["latest"]`.
 * @throws BunkerError `no_such_container`
 */
export function namedOrLatest(
  database: StateDatabase,
  data: string,
  reference: string,
  { latest }: { readonly latest: boolean },
): Container {
  return latest ? latestContainer(database, data) : findContainer(database, data, reference);
}
