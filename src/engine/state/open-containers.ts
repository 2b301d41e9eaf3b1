import { openStateDatabase, type StateDatabase } from "../../state/state-database.ts";
import { containerComponent } from "./container-component.ts";
import { networkComponent } from "./network-component.ts";
import { volumeComponent } from "./volume-component.ts";

/** Opens the state database with the tables of containers, of the volumes that they use and the networks that they are on. */
export function openContainers(data: string): StateDatabase {
  return openStateDatabase(data, [containerComponent, volumeComponent, networkComponent]);
}
