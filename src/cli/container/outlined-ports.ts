import type { ContainerOutline } from "../../engine/state/container-outline.ts";
import { parsePorts } from "../../engine/state/containers.ts";
import { portsText, readExposedPorts, withoutPublished } from "./port-text.ts";

/** The ports of a container in the usual list; see `portsText`. */
export function outlinedPortsText({ published, exposed }: NonNullable<ContainerOutline["ports"]>): string {
  const bindings = parsePorts(published);
  return portsText(bindings, withoutPublished(readExposedPorts(JSON.parse(exposed)), bindings));
}
