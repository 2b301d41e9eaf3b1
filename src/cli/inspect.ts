import { dataDirectory } from "../engine/data-directory.ts";
import { findAnyNetwork } from "../engine/network/find-network.ts";
import { openContainers } from "../engine/state/containers.ts";
import { findVolume } from "../engine/state/volumes.ts";
import { openImageStore } from "../image/store/image-store.ts";
import { leaveMemory } from "../launch/leave-memory.ts";
import { BunkerError } from "../sys/error.ts";
import { defineCommand } from "./command.ts";
import { inspectContainer, inspectSizeOption } from "./container/inspection.ts";
import { namedOrLatest } from "./container/latest-container.ts";
import { latestOption } from "./container/latest-option.ts";
import { inspectFormatOption } from "./format/format-option.ts";
import type { Structure } from "./format/template/value.ts";
import { inspectImage } from "./image/inspection.ts";
import { printInspections } from "./inspect-output.ts";
import { inspectNetwork } from "./network/inspection.ts";
import { single } from "./option.ts";
import { oneOf } from "./values/choice.ts";
import { inspectVolume } from "./volume/inspection.ts";

/** `bunker inspect`: a container of that name, or else an image, a network, or a volume. */
export const inspect = defineCommand(
  {
    options: {
      format: inspectFormatOption,
      latest: latestOption,
      size: inspectSizeOption,
      type: single({
        name: "type",
        short: "t",
        valueName: "container|image|network|volume",
        description: "Look for that only",
        parse: oneOf("container", "image", "network", "volume"),
      }),
    },
    insteadOfFirst: ["latest"],
    leave: leaveMemory,
    required: ["NAME"],
    optional: "[NAME...]",
    failureStatus: 1,
  },
  async ({ options: { format, latest, size, type }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const sizeOf = size ? (await import("../engine/files/container-size.ts")).containerMeasure(data) : undefined;
    using store = openImageStore(data);
    const isWanted = (kind: typeof type) => type === undefined || type === kind;
    const inspectNamed = (name: string, isLatest: boolean) =>
      inspectContainer(database, data, namedOrLatest(database, data, name, { latest: isLatest }), sizeOf);
    const finders: readonly ((name: string) => Structure)[] = [
      ...(isWanted("container") ? [(name: string) => inspectNamed(name, false)] : []),
      ...(isWanted("image") ? [(name: string) => inspectImage(store, store.find(name))] : []),
      ...(isWanted("network")
        ? [(name: string) => inspectNetwork(database, data, findAnyNetwork(database, name))]
        : []),
      ...(isWanted("volume") ? [(name: string) => inspectVolume(data, findVolume(database, name))] : []),
    ];
    return await printInspections(operands, format, (name) =>
      latest && name === "" && isWanted("container")
        ? inspectNamed(name, true)
        : firstFound(name, finders, type ?? "object"),
    );
  },
);

function firstFound(name: string, finders: readonly ((name: string) => Structure)[], what: string): Structure {
  for (const find of finders) {
    try {
      return find(name);
    } catch (error) {
      const isMissing =
        error instanceof BunkerError &&
        ["no_such_container", "image_not_found", "invalid_reference", "no_such_network", "no_such_volume"].includes(
          error.code,
        );
      if (!isMissing) throw error;
    }
  }
  throw new BunkerError({ code: `no_such_${what}`, operation: `No such ${what}:`, object: name, exitStatus: 1 });
}
