import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { findVolume, type Volume } from "../../engine/state/volumes.ts";
import { volumeContent } from "../../engine/volumes/volume-directory.ts";
import { volumeKind } from "../../engine/volumes/volume-driver.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";

/**
 * `bunker volume mount`: where a volume's files are on the host. They are there without being mounted, so that there is
 * nothing else to do.
 */
export const mount = defineCommand(
  { options: {}, required: ["VOLUME"], optional: "[VOLUME...]", failureStatus: 1 },
  ({ operands }) => forEach(operands, (data, volume) => print(placeOf(data, volume))),
);

/** `bunker volume unmount`: what can be mounted need not be taken down. */
export const unmount = defineCommand(
  { options: {}, required: ["VOLUME"], optional: "[VOLUME...]", failureStatus: 1 },
  ({ operands }) =>
    forEach(operands, (data, volume) => {
      placeOf(data, volume);
      print(volume.name);
    }),
);

function forEach(names: readonly string[], work: (data: string, volume: Volume) => void): number {
  const data = dataDirectory();
  using database = openContainers(data);
  for (const volume of names.map((name) => findVolume(database, name))) work(data, volume);
  return 0;
}

/** @throws BunkerError `volume_in_memory` */
function placeOf(data: string, { name, options }: Volume): string {
  const kind = volumeKind(options);
  if (kind.kind === "directory") return volumeContent(data, name);
  if (kind.kind === "bind") return kind.device;
  throw new BunkerError({
    code: "volume_in_memory",
    operation: "mount volume",
    object: name,
    reason: "it is a file system in memory, of which each container has its own",
    hint: "See into a container that has it: bunker exec, or bunker cp.",
  });
}
