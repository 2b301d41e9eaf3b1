/* How namespaces are written that a container does not make but joins: `container:ID` and `ns:PATH`, as in Podman. */
import type { NamespaceType } from "../../runtime/configuration/namespaces.ts";
import type { JoinedNamespace } from "../specification/run-options.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";

const CONTAINER = "container:";
const PATH = "ns:";

/** A namespace as users write it: a word, or what is to be joined. */
export function namespaceMode(mode: string | JoinedNamespace): string {
  if (typeof mode === "string") return mode;
  return mode.kind === "container" ? `${CONTAINER}${mode.container}` : `${PATH}${mode.path}`;
}

/** The id of the container whose namespace a container with this mode has. */
export function joinedContainer(mode: string): string | undefined {
  return mode.startsWith(CONTAINER) ? mode.slice(CONTAINER.length) : undefined;
}

/** The path of the namespace that a container with this mode has. */
export function joinedPath(mode: string): string | undefined {
  return mode.startsWith(PATH) ? mode.slice(PATH.length) : undefined;
}

/** The namespaces that a container joins, with their modes. */
export function joinedModes({
  network,
  joined = {},
}: Pick<ContainerDefinition, "network" | "joined">): readonly (readonly [type: NamespaceType, mode: string])[] {
  const { cgroup, ipc, pid, user, uts } = joined;
  const isJoined = joinedContainer(network) !== undefined || joinedPath(network) !== undefined;
  const modes = { user, ipc, uts, network: isJoined ? network : undefined, pid, cgroup };
  return (["user", "ipc", "uts", "network", "pid", "cgroup"] as const).flatMap((type) => {
    const mode = modes[type];
    return mode === undefined ? [] : [[type, mode] as const];
  });
}

/** The ids of the containers that have to run when a container starts: it joins their namespaces. */
export function joinedContainers(definition: Pick<ContainerDefinition, "network" | "joined">): readonly string[] {
  return joinedModes(definition).flatMap(([, mode]) => joinedContainer(mode) ?? []);
}
