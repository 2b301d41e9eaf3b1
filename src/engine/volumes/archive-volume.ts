/* The content of a volume as a tar archive, in both directions; done as root of the user namespace that has its ids. */
import * as v from "valibot";
import { BunkerError } from "../../sys/error.ts";
import { askInside } from "../files/ask-inside.ts";
import { ownershipOf } from "../ownership.ts";
import type { Volume } from "../state/volumes.ts";
import { volumeContent } from "./volume-directory.ts";
import { volumeKind } from "./volume-driver.ts";

const warningsSchema = v.pipe(v.string(), v.parseJson(), v.array(v.string()));

/** An open file, and what it is called in messages. */
export interface NamedDescriptor {
  readonly descriptor: number;
  readonly name: string;
}

/**
 * Where the files of a volume lie while no container runs.
 * @throws BunkerError `volume_in_memory`
 */
function directoryOf(data: string, { name, options }: Volume, operation: string): string {
  const kind = volumeKind(options);
  if (kind.kind === "bind") return kind.device;
  if (kind.kind === "directory") return volumeContent(data, name);
  throw new BunkerError({
    code: "volume_in_memory",
    operation,
    object: name,
    reason: "it is in memory, and each container has its own",
    exitStatus: 1,
  });
}

/**
 * Writes the content of a volume as a tar archive.
 * @returns warnings about what the archive cannot say
 * @throws BunkerError `volume_in_memory`, `no_space`, `write_failed`
 */
export async function exportVolume(
  data: string,
  volume: Volume,
  destination: NamedDescriptor,
  signal: AbortSignal,
): Promise<string[]> {
  const layers = { lower: [directoryOf(data, volume, "export volume")], mountPoints: [] };
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  const request = { layers, output: destination.name };
  const descriptors = [destination.descriptor];
  return v.parse(warningsSchema, await askInside(userNamespace, "archive", request, { descriptors }, signal));
}

/**
 * Unpacks a tar archive, plain or compressed with gzip or zstd, into a volume: over what is there.
 * @returns warnings about what could not be kept
 * @throws BunkerError `volume_in_memory`, `archive_invalid`, `layer_refused`, `no_space`
 */
export async function importVolume(
  data: string,
  volume: Volume,
  source: NamedDescriptor,
  signal: AbortSignal,
): Promise<string[]> {
  const content = directoryOf(data, volume, "import into volume");
  const { userNamespace, mapping } = ownershipOf({ kind: "default" }, data);
  const request = { content, name: source.name, mapping };
  const descriptors = [source.descriptor];
  return v.parse(warningsSchema, await askInside(userNamespace, "restore", request, { descriptors }, signal));
}
