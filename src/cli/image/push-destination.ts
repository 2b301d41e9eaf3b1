/** Where `push` and `manifest push` write to: a registry, or by Podman's transports a place on disk. */
import { parseReference, withDefaultTag } from "../../image/reference.ts";
import type { Registries } from "../../image/registry/registries.ts";
import { RegistryWriter } from "../../image/registry/registry-writer.ts";
import { type ImagePlace, parseImagePlace } from "../../image/transport/image-place.ts";
import type { ImageWriter } from "../../image/transport/transport.ts";
import { BunkerError } from "../../sys/error.ts";

/** The store is none: that is where images are pushed from. */
export type PushDestination = Exclude<ImagePlace, { kind: "store" }>;

const TRANSPORT = /^(?:docker:\/\/|(?:oci|oci-archive|docker-archive|dir):)/;
const NO_DESTINATION = /^(containers-storage|docker-daemon):/;

/**
 * Parses a destination; without a transport it is a name in a registry.
 * @throws BunkerError `invalid_image_name`, `invalid_reference`
 */
export function parsePushDestination(text: string): PushDestination {
  const [, transport] = NO_DESTINATION.exec(text) ?? [];
  if (transport !== undefined) {
    throw new BunkerError({
      code: "invalid_image_name",
      operation: "push to",
      object: text,
      reason: `nothing is pushed to ${transport}:`,
      hint: "Give a registry's name, or docker://, oci:, oci-archive:, docker-archive: or dir:.",
    });
  }
  const place = TRANSPORT.test(text) ? parseImagePlace(text) : undefined;
  if (place !== undefined && place.kind !== "store") return place;
  return { kind: "registry", reference: withDefaultTag(parseReference(text)) };
}

/**
 * Opens a destination for one image.
 * @throws BunkerError as `Registries.forPush` and `openLocalWriter`
 */
export async function openPushDestination(
  destination: PushDestination,
  registries: Registries,
  signal: AbortSignal,
): Promise<ImageWriter> {
  if (destination.kind === "registry") return new RegistryWriter(registries, destination.reference, signal);
  const { openLocalWriter } = await import("../../image/transport/local-places.ts");
  return await openLocalWriter(destination, signal);
}
