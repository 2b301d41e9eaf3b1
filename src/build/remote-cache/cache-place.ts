import type { Digest } from "../../image/digest.ts";
import type { Compression } from "../../image/layers/decompress.ts";

/** Where a build cache is taken from: `--cache-from`. */
export type CacheSource =
  | {
      /** A cache, or an image with one inside. */
      readonly type: "registry";
      /** Its full name. */
      readonly name: string;
    }
  | {
      /** An image layout. */
      readonly type: "local";
      readonly directory: string;
      readonly tag: string;
      /** Of its manifest, instead of the tag. */
      readonly digest: Digest | undefined;
    };

/** Where the cache of a build is written to besides: `--cache-to`. */
export type CacheDestination = { readonly type: "inline" } | ExportedCache;

/** A cache that is written on its own. */
export type ExportedCache = (
  | { readonly type: "registry"; readonly name: string }
  | { readonly type: "local"; readonly directory: string; readonly tag: string }
) & {
  /** What it has: the steps of the image's own stage, or all that the build has needed. */
  readonly mode: "min" | "max";
  readonly compression: Compression;
  readonly level: number | undefined;
  /** Whether layers that another cache has packed otherwise are packed anew. */
  readonly forcesCompression: boolean;
  readonly mediaTypes: "oci" | "docker";
  /** Whether its manifest is that of an image, which every registry takes, or an index. */
  readonly isImage: boolean;
  /** Whether the build goes on where it cannot be written. */
  readonly ignoresErrors: boolean;
};

/** A place of a cache in one word, for people. */
export function shownPlace(place: CacheSource | ExportedCache): string {
  return place.type === "registry" ? place.name : place.directory;
}
