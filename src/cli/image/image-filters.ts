import type { ImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { BunkerError } from "../../sys/error.ts";
import type { Filters } from "../filters/filter-option.ts";
import { fitsLabels } from "../filters/label-filter.ts";
import { parsePointInTime } from "../filters/point-in-time.ts";
import { fitsReference } from "../filters/reference-filter.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseBoolean } from "../option.ts";
import { quote } from "../option-table.ts";

/** What `images` can filter by; Docker's keys, and Podman's beside them. */
export const IMAGE_FILTERS = [
  ...["after", "before", "containers", "dangling", "digest", "id", "intermediate", "label", "label!"],
  ...["readonly", "reference", "since", "until"],
];

/**
 * Makes a test of the filters that were given.
 * @param filters by all of `IMAGE_FILTERS` but `containers`
 * @param now milliseconds since 1970
 * @returns tells whether an image fits
 * @throws BunkerError `invalid_value`, and as `ImageStore.find` for the images of `before` and `since`
 */
export function imageFilter(filters: Filters, store: ImageStore, now: number): (image: StoredImage) => boolean {
  const created = (key: "after" | "before" | "since") => filters(key).map((name) => store.find(name).created ?? 0);
  const before = Math.min(...created("before"), ...read(filters, "until", (text) => parsePointInTime(text, now)));
  const since = Math.max(...created("since"), ...created("after"));
  const dangling = read(filters, "dangling", parseBoolean);
  const intermediate = read(filters, "intermediate", parseBoolean);
  const parents = intermediate.length === 0 ? new Set<string>() : layersBelow(store.list());
  const readOnly = read(filters, "readonly", parseBoolean);
  const references = filters("reference");
  const [ids, digests] = [filters("id").map(asDigest), filters("digest").map(asDigest)];
  return ({ id, isReadOnly, layers, manifest, names, created: time = 0, labels, repositoryDigests }) =>
    time < before &&
    time > since &&
    (ids.length === 0 || ids.some((beginning) => id.startsWith(beginning))) &&
    (digests.length === 0 ||
      digests.some(
        (digest) => manifest.digest === digest || repositoryDigests.some((name) => name.endsWith(`@${digest}`)),
      )) &&
    (readOnly.length === 0 || readOnly.includes(isReadOnly)) &&
    (dangling.length === 0 || dangling.includes(names.length === 0)) &&
    (intermediate.length === 0 ||
      intermediate.includes(names.length === 0 && parents.has(layers.at(-1)?.chainId ?? ""))) &&
    fitsLabels(labels, filters) &&
    (references.length === 0 ||
      [...names, ...repositoryDigests].some((name) =>
        read(filters, "reference", (pattern) => fitsReference(name, pattern)).includes(true),
      ));
}

/**
 * Whether an image is as the filter `containers` wants: used by a container, or by none.
 * @throws BunkerError `invalid_value`
 */
export function fitsUse(image: StoredImage, filters: Filters, containersOf: (image: StoredImage) => number): boolean {
  const wanted = read(filters, "containers", parseBoolean);
  return wanted.length === 0 || wanted.includes(containersOf(image) > 0);
}

/**
 * Leaves an image only those names that fit a pattern of `reference`, and the digests of their repositories: whoever
 * asks for `debian:12` does not ask for the other names of that image.
 * @throws BunkerError `invalid_value`
 */
export function withFittingNames(image: StoredImage, filters: Filters): StoredImage {
  if (filters("reference").length === 0) return image;
  const fits = (name: string) => read(filters, "reference", (pattern) => fitsReference(name, pattern)).includes(true);
  const names = image.names.filter(fits);
  const repositories = new Set(names.map((name) => name.slice(0, name.lastIndexOf(":"))));
  const repositoryDigests = image.repositoryDigests.filter(
    (name) => repositories.has(name.slice(0, name.indexOf("@"))) || fits(name),
  );
  return { ...image, names, repositoryDigests };
}

/** What lies below the uppermost layer of some image: an image that ends with one of these is what others were made of. */
function layersBelow(images: readonly StoredImage[]): Set<string> {
  return new Set(images.flatMap(({ layers }) => layers.slice(0, -1).map(({ chainId }) => chainId)));
}

/** A digest that may have been written without its algorithm. */
function asDigest(text: string): string {
  return text.includes(":") ? text : `sha256:${text}`;
}

/** Reads the values of a key; a mistake is the user's. */
function read<Result>(filters: Filters, key: string, parse: (text: string) => Result): Result[] {
  return filters(key).map((text) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      const operation = `invalid value ${quote(`${key}=${text}`)} for --filter: ${error.message}`;
      throw new BunkerError({ code: "invalid_value", operation }, { cause: error });
    }
  });
}
