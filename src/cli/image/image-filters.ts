/*
 * What `--filter` chooses images by. Each key is a test of one value. Of several values of a key one has to fit, but of
 * labels and times all; `KEY!=VALUE`, Podman's, leaves out what fits that value.
 */
import type { ImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import type { Filters } from "../filters/filter-option.ts";
import { readFilter } from "../filters/filter-value.ts";
import { fitsLabels } from "../filters/label-filter.ts";
import { parsePointInTime } from "../filters/point-in-time.ts";
import { referenceTest } from "../filters/reference-filter.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseBoolean } from "../option.ts";

/** What `images` can filter by; Docker's keys, and Podman's beside them. */
export const IMAGE_FILTERS = [
  ...["after", "before", "containers", "dangling", "digest", "id", "intermediate", "label", "manifest"],
  ...["readonly", "reference", "since", "until"],
];

type Test = (image: StoredImage) => boolean;

/**
 * Makes a test of the filters that were given.
 * @param filters by all of `IMAGE_FILTERS` but `containers` and `manifest`, and their negations
 * @param now milliseconds since 1970
 * @returns tells whether an image fits
 * @throws BunkerError `invalid_filter`, and as `ImageStore.find` for the images of `before` and `since`
 */
export function imageFilter(filters: Filters, store: ImageStore, now: number): Test {
  const isOlder = (time: number): Test => timeTest((created) => created < time);
  const createdOf = (name: string) => store.find(notEmpty(name)).created ?? 0;
  const isYounger = (name: string) => {
    const time = createdOf(name);
    return timeTest((created) => created > time);
  };
  let below: Set<string> | undefined;
  const isBelow = (chainId: string | undefined) => {
    below ??= layersBelow(store.list());
    return chainId !== undefined && below.has(chainId);
  };
  const tests = [
    testOf(filters, "before", (name) => isOlder(createdOf(name)), "every"),
    testOf(filters, "until", (text) => isOlder(parsePointInTime(text, now)), "every"),
    testOf(filters, "since", isYounger, "every"),
    testOf(filters, "after", isYounger, "every"),
    testOf(filters, "id", (text) => {
      const beginning = asDigest(text);
      return ({ id }) => id.startsWith(beginning);
    }),
    testOf(filters, "digest", (text) => {
      const digest = asDigest(text);
      return ({ manifest, repositoryDigests }) =>
        manifest.digest === digest || repositoryDigests.some((name) => name.endsWith(`@${digest}`));
    }),
    testOf(
      filters,
      "readonly",
      truth(({ isReadOnly }) => isReadOnly),
    ),
    testOf(
      filters,
      "dangling",
      truth(({ names }) => names.length === 0),
    ),
    testOf(
      filters,
      "intermediate",
      truth(({ names, layers }) => names.length === 0 && isBelow(layers.at(-1)?.chainId)),
    ),
    testOf(filters, "reference", (pattern) => {
      const fits = referenceTest(pattern);
      return ({ names, repositoryDigests }) => [...names, ...repositoryDigests].some(fits);
    }),
    ({ labels }: StoredImage) => fitsLabels(labels, filters),
  ];
  return (image) => tests.every((test) => test(image));
}

/**
 * Whether images are as the filter `containers` wants: used by a container, or by none.
 * @throws BunkerError `invalid_filter`
 */
export function useFilter(filters: Filters, containersOf: (image: StoredImage) => number): Test {
  return testOf(
    filters,
    "containers",
    truth((image) => containersOf(image) > 0),
  );
}

/**
 * Whether lists of images are shown, and images, as the filter `manifest` wants; images alone without it.
 * @throws BunkerError `invalid_filter`
 */
export function shownKinds(filters: Filters): { readonly images: boolean; readonly lists: boolean } {
  const wanted = readFilter("manifest", filters("manifest"), parseBoolean);
  const unwanted = readFilter("manifest!", filters("manifest!"), parseBoolean);
  const isGiven = wanted.length + unwanted.length > 0;
  const fits = (isList: boolean) => (wanted.length === 0 || wanted.includes(isList)) && !unwanted.includes(isList);
  return { images: fits(false), lists: isGiven && fits(true) };
}

/**
 * Leaves images only those names that fit a pattern of `reference`, and the digests of their repositories: whoever asks
 * for `debian:12` does not ask for the other names of that image.
 * @throws BunkerError `invalid_filter`
 */
export function fittingNames(filters: Filters): (image: StoredImage) => StoredImage {
  const patterns = readFilter("reference", filters("reference"), referenceTest);
  if (patterns.length === 0) return (image) => image;
  const fits = (name: string) => patterns.some((fitsPattern) => fitsPattern(name));
  return (image) => {
    const names = image.names.filter(fits);
    const repositories = new Set(names.map((name) => name.slice(0, name.lastIndexOf(":"))));
    const repositoryDigests = image.repositoryDigests.filter(
      (name) => repositories.has(name.slice(0, name.indexOf("@"))) || fits(name),
    );
    return { ...image, names, repositoryDigests };
  };
}

/**
 * The test of one key.
 * @param makeTest makes that of one value
 * @param combination how many of several values have to fit
 * @throws BunkerError `invalid_filter`
 */
function testOf(
  filters: Filters,
  key: string,
  makeTest: (value: string) => Test,
  combination: "some" | "every" = "some",
): Test {
  const wanted = readFilter(key, filters(key), makeTest);
  const unwanted = readFilter(`${key}!`, filters(`${key}!`), makeTest);
  return (image) =>
    (wanted.length === 0 || wanted[combination]((test) => test(image))) && !unwanted.some((test) => test(image));
}

function timeTest(fits: (created: number) => boolean): Test {
  return ({ created = 0 }) => fits(created);
}

/** Of a key whose values are true and false. */
function truth(is: Test): (text: string) => Test {
  return (text) => {
    const wanted = parseBoolean(text);
    return (image) => is(image) === wanted;
  };
}

/** What lies below the uppermost layer of some image: an image that ends with one of these is what others were made of. */
function layersBelow(images: readonly StoredImage[]): Set<string> {
  return new Set<string>(images.flatMap(({ layers }) => layers.slice(0, -1).map(({ chainId }) => chainId)));
}

function notEmpty(name: string): string {
  if (name === "") throw new InvalidValue("expected an image");
  return name;
}

/** A digest that may have been written without its algorithm. */
function asDigest(text: string): string {
  return text.includes(":") ? text : `sha256:${text}`;
}
