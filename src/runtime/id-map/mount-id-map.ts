import { BunkerError } from "../../sys/error.ts";
import type { IdMapping, Mount } from "../configuration/configuration.ts";
import type { IdMap } from "./id-mapping.ts";

/**
 * What the ids of a mount are mapped by: what its option says, its own mappings, or the container's.
 * @param written `MountOptions.idMapping`
 * @param container the map of the user namespace that the container makes, without ranges if it makes none
 * @returns undefined when there is none of these
 * @throws BunkerError `bad_mount_option`
 */
export function mountIdMap(mount: Mount, written: string | undefined, container: IdMap): IdMap | undefined {
  if (written !== undefined) return parseMappingOption(written, container, mount.destination);
  const { uidMappings = [], gidMappings = [] } = mount;
  const map = uidMappings.length > 0 ? { uidMappings, gidMappings } : container;
  return map.uidMappings.length > 0 ? map : undefined;
}

/** The error for a mount that asks for a mapping which nobody has. */
export function withoutIdMap({ destination }: Mount): BunkerError {
  return new BunkerError({
    code: "bad_mount_option",
    operation: "map the ids of the mount on",
    object: destination,
    reason: "it has no uidMappings and gidMappings, and the container no user namespace to take them from",
  });
}

/**
 * Reads the mapping of a mount option, `uids=0-1-10#10-11-10;gids=@0-100-10`: the first id in the file system, the id of
 * the host that stands for it, and their count; crun(1), "idmap mount options". With `@` the second is not an id of the
 * host but goes through the container's map. As in crun that is by the range in which the first of the three lies, so
 * that a mapping over several of its ranges has to be written in parts.
 * @param container the map of the container's user namespace, without ranges if it has none of its own
 * @param destination of the mount, for messages
 * @throws BunkerError `bad_mount_option`
 */
function parseMappingOption(text: string, container: IdMap, destination: string): IdMap {
  const refuse = (reason: string) =>
    new BunkerError({
      code: "bad_mount_option",
      operation: "map the ids of the mount on",
      object: destination,
      reason: `${reason} in ${JSON.stringify(text)}`,
      hint: "a mapping is written as uids=0-1000-10;gids=0-1000-10",
    });
  const found = new Map<string, readonly IdMapping[]>();
  for (const part of text.split(";")) {
    const [, kind, triplets] = /^(uids|gids)=(.*)$/.exec(part) ?? [];
    if (kind === undefined || triplets === undefined)
      throw refuse(`neither uids= nor gids= begins ${part || "a part"}`);
    const ranges = container[kind === "uids" ? "uidMappings" : "gidMappings"];
    const mappings = triplets.split("#").map((triplet) => {
      const mapping = parseTriplet(triplet, ranges);
      if (mapping === undefined) throw refuse(`${triplet || "nothing"} is not FIRST-HOST-COUNT`);
      if (mapping === "outside") throw refuse(`the container's user namespace does not map the id of ${triplet}`);
      return mapping;
    });
    found.set(kind, mappings);
  }
  const [uidMappings, gidMappings] = [found.get("uids"), found.get("gids")];
  // The kernel takes no user namespace in which one of the maps is not written.
  if (uidMappings === undefined || gidMappings === undefined) throw refuse("one of uids= and gids= is missing");
  return { uidMappings, gidMappings };
}

function parseTriplet(text: string, container: readonly IdMapping[]): IdMapping | "outside" | undefined {
  const [, relative, ...numbers] = /^(@?)(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(text) ?? [];
  if (numbers.length === 0) return undefined;
  const [containerID = 0, hostID = 0, size = 0] = numbers.map(Number);
  if (relative === "") return { containerID, hostID, size };
  const range = container.find((one) => containerID >= one.containerID && containerID < one.containerID + one.size);
  return range === undefined ? "outside" : { containerID, hostID: hostID + range.hostID - range.containerID, size };
}
