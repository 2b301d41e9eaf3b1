import type { Volume } from "../../engine/state/volumes.ts";
import { volumeContent } from "../../engine/volumes/volume-directory.ts";
import { mapOrNil, type Structure } from "../format/template/value.ts";

/**
 * What `docker volume inspect` shows; Docker Engine API, VolumeInspect. `Anonymous` is Podman's.
 * @param data Bunker's data directory
 */
export function inspectVolume(data: string, { name, created, isAnonymous, labels, options }: Volume): Structure {
  return {
    Anonymous: isAnonymous,
    CreatedAt: new Date(created).toISOString(),
    Driver: "local",
    Labels: mapOrNil(labels),
    Mountpoint: volumeContent(data, name),
    Name: name,
    Options: mapOrNil(options),
    Scope: "local",
  };
}
