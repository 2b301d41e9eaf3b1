import type { Volume } from "../../engine/state/volumes.ts";
import { volumeContent } from "../../engine/volumes/volume-directory.ts";
import { NIL_MAP, type Structure, type Value } from "../format/template/value.ts";

/**
 * What `docker volume inspect` shows; Docker Engine API, VolumeInspect. `Anonymous` is Podman's.
 * @param data Bunker's data directory
 */
export function inspectVolume(data: string, { name, created, isAnonymous, labels, options }: Volume): Structure {
  return {
    Anonymous: isAnonymous,
    CreatedAt: new Date(created).toISOString(),
    Driver: "local",
    Labels: mapOf(labels),
    Mountpoint: volumeContent(data, name),
    Name: name,
    Options: mapOf(options),
    Scope: "local",
  };
}

function mapOf(record: Readonly<Record<string, string>>): Value {
  const entries = Object.entries(record);
  return entries.length === 0 ? NIL_MAP : new Map(entries);
}
