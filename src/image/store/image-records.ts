/** Images as the database has them; see image-tables.ts. */
import type { StateDatabase } from "../../state/state-database.ts";
import { identifyLayers } from "../chain-id.ts";
import type { Digest } from "../digest.ts";
import type { BlobDescriptor, StoredImage } from "./stored-image.ts";

interface ImageRow {
  readonly manifest: Digest;
  readonly media_type: string;
  readonly size: number;
  readonly id: Digest;
  readonly configuration_size: number;
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | null;
  readonly created: number | null;
  readonly added: number;
  readonly tagged: number | null;
}

/** A name, and what it stands for. */
export interface NameRow {
  readonly reference: string;
  readonly target: Digest;
  readonly target_media_type: string;
  readonly target_size: number;
  readonly image: Digest | null;
}

/** What the name of a row stands for. */
export function targetOf(row: NameRow): BlobDescriptor {
  return { mediaType: row.target_media_type, digest: row.target, size: row.target_size };
}

/**
 * Reads images.
 * @param directory of their store
 * @param manifests the digests of those that are wanted, in this order; all, in the order in which they came, unless given
 */
export function readImages(state: StateDatabase, directory: string, manifests?: readonly Digest[]): StoredImage[] {
  if (manifests?.length === 0) return [];
  const places = manifests === undefined ? "" : manifests.map(() => "?").join(", ");
  const select = <Row>(table: string, key: string, order: string) =>
    state.all<Row>(
      `SELECT * FROM ${table} ${places === "" ? "" : `WHERE ${key} IN (${places})`} ORDER BY ${order}`,
      ...(manifests ?? []),
    );
  const layers = Map.groupBy(
    select<{ image: Digest; digest: Digest; media_type: string; size: number; diff_id: Digest }>(
      "layer",
      "image",
      "image, position",
    ),
    ({ image }) => image,
  );
  const labels = Map.groupBy(
    select<{ image: Digest; name: string; value: string }>("label", "image", "image, name"),
    ({ image }) => image,
  );
  const names = Map.groupBy(select<NameRow>("name", "image", "reference"), ({ image }) => image);
  const digests = Map.groupBy(
    select<{ repository: string; digest: Digest; image: Digest }>("repository_digest", "image", "repository, digest"),
    ({ image }) => image,
  );
  const images = select<ImageRow>("image", "manifest", "added").map((row): StoredImage => {
    const ownLayers = layers.get(row.manifest) ?? [];
    const ownLabels = labels.get(row.manifest);
    const identities = identifyLayers(ownLayers.map(({ diff_id }) => diff_id));
    const storedLayers: StoredImage["layers"][number][] = [];
    for (const [position, layer] of ownLayers.entries()) {
      const identity = identities[position];
      if (identity === undefined) continue;
      storedLayers.push({ ...identity, digest: layer.digest, mediaType: layer.media_type, size: layer.size });
    }
    return {
      id: row.id,
      manifest: { mediaType: row.media_type, digest: row.manifest, size: row.size },
      configuration: { digest: row.id, size: row.configuration_size },
      names: (names.get(row.manifest) ?? []).map(({ reference }) => reference),
      repositoryDigests: (digests.get(row.manifest) ?? []).map(({ repository, digest }) => `${repository}@${digest}`),
      platform: { os: row.os, architecture: row.architecture, variant: row.variant ?? undefined },
      created: row.created ?? undefined,
      added: row.added,
      // It gets names by coming, too.
      tagged: row.tagged !== null && row.tagged > row.added ? row.tagged : row.added,
      labels: ownLabels === undefined ? {} : Object.fromEntries(ownLabels.map(({ name, value }) => [name, value])),
      layers: storedLayers,
      store: directory,
      isReadOnly: false,
    };
  });
  if (manifests === undefined) return images;
  const byManifest = new Map(images.map((image) => [image.manifest.digest, image]));
  return manifests.map((digest) => byManifest.get(digest)).filter((image) => image !== undefined);
}
