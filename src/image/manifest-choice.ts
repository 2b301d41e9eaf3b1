/*
 * Which of the manifests of an index is meant: by tag, by place, by platform, or because there is only one. An index
 * may name further indexes, usually one for each image, with a manifest for each platform.
 */
import { BunkerError } from "../sys/error.ts";
import type { Digest } from "./digest.ts";
import { type Descriptor, type Index, invalidDocument } from "./documents.ts";
import { isIndex } from "./media-types.ts";
import { formatPlatform, hostPlatform, type Platform, platformRank } from "./platform.ts";

/** The annotation that names an entry of a layout's index.json. */
export const TAG_ANNOTATION = "org.opencontainers.image.ref.name";
/** How deep indexes may be nested. */
export const MAXIMUM_DEPTH = 4;

/**
 * Finds what a name in an index stands for, a manifest or an index. Where it is several manifests, that is the one for
 * the platform.
 * @param tag,platform as `openLayout`
 * @param readIndex reads an index that the index names
 * @throws BunkerError as `chooseManifest`
 */
export function chooseRoot(
  index: Index,
  tag: string | undefined,
  platform: Platform | undefined,
  readIndex: (descriptor: Descriptor) => Index,
  name: string,
): Descriptor {
  const only = onlyOne(filterByTag(index.manifests, tag, name));
  return only ?? chooseManifest(index, tag, platform, readIndex, name);
}

/**
 * Chooses a manifest.
 * @param tag,platform as `openLayout`
 * @param readIndex reads an index that the index names
 * @throws BunkerError `image_not_found`, `image_ambiguous`, `platform_mismatch`, `image_invalid`
 */
export function chooseManifest(
  index: Index,
  tag: string | undefined,
  platform: Platform | undefined,
  readIndex: (descriptor: Descriptor) => Index,
  name: string,
): Descriptor {
  const named = filterByTag(index.manifests, tag, name);
  const wanted = platform ?? hostPlatform();
  const candidates = resolveIndexes(named, wanted, readIndex, name);
  const single = onlyOne(candidates);
  if (single !== undefined) return single;
  const fitting = bestOf(candidates, wanted);
  const chosen = onlyOne(fitting);
  if (chosen !== undefined) return chosen;
  if (fitting.length === 0 && candidates.every((descriptor) => descriptor.platform != null)) {
    throw noneFor(wanted, candidates, name);
  }
  throw new BunkerError({
    code: "image_ambiguous",
    operation: "choose an image from",
    object: name,
    reason: `it has several: ${listNames(index.manifests)}`,
    hint: "Add a colon and one of these names.",
  });
}

/**
 * Checks that what an index offers for other machines only is not taken for what is wanted, because it is the only one.
 * @param chosen the entry of the index
 * @param wanted this machine's unless given
 * @throws BunkerError `platform_mismatch`
 */
export function checkArchitecture(chosen: Descriptor, wanted: Platform = hostPlatform(), name: string): void {
  const { platform } = chosen;
  if (platform == null || (platform.os === wanted.os && platform.architecture === wanted.architecture)) return;
  throw noneFor(wanted, [chosen], name);
}

function noneFor(wanted: Platform, offered: readonly Descriptor[], name: string): BunkerError {
  return new BunkerError({
    code: "platform_mismatch",
    operation: "choose the image for a platform from",
    object: name,
    reason: `it has none for ${formatPlatform(wanted)}, only for ${listPlatforms(offered)}`,
    hint: `Choose ${offered.length === 1 ? "that" : "one of them"} with --platform.`,
  });
}

/**
 * Checks what a manifest without a platform of its own turns out to be for.
 * @throws BunkerError `platform_mismatch`
 */
export function checkPlatform(actual: Platform, wanted: Platform | undefined, name: string): void {
  if (wanted === undefined || platformRank(wanted, actual) > 0) return;
  throw new BunkerError({
    code: "platform_mismatch",
    operation: "use",
    object: name,
    reason: `it is for ${formatPlatform(actual)}, not for ${formatPlatform(wanted)}`,
  });
}

function filterByTag(manifests: readonly Descriptor[], tag: string | undefined, name: string): readonly Descriptor[] {
  const place = /^@([0-9]{1,9})$/.exec(tag ?? "")?.[1];
  const named =
    tag === undefined
      ? manifests
      : manifests.filter(({ annotations }, position) =>
          place === undefined ? annotations[TAG_ANNOTATION] === tag : position === Number(place),
        );
  if (named.length > 0) return named;
  throw new BunkerError({
    code: "image_not_found",
    operation: "find the image",
    object: name,
    reason: manifests.length === 0 ? "its index is empty" : `there is only ${listNames(manifests)}`,
  });
}

/**
 * The manifests that descriptors stand for, with the platform of the index entry where they have none. Of an index that is
 * the first of those that fit best, or all when none fits.
 */
function resolveIndexes(
  descriptors: readonly Descriptor[],
  wanted: Platform,
  readIndex: (descriptor: Descriptor) => Index,
  name: string,
): readonly Descriptor[] {
  // Each index is looked into once: where a hostile one names another a thousand times, and that does so with a third,
  // nobody would come to an end.
  const seen = new Set<Digest>();
  const resolve = (descriptor: Descriptor, depth: number): readonly Descriptor[] => {
    if (!isIndex(descriptor.mediaType)) return isImage(descriptor) ? [descriptor] : [];
    if (seen.has(descriptor.digest)) return [];
    seen.add(descriptor.digest);
    if (depth === MAXIMUM_DEPTH) throw invalidDocument(name, `its indexes are nested more than ${MAXIMUM_DEPTH} deep`);
    const manifests = readIndex(descriptor).manifests.flatMap((inner) =>
      resolve({ ...inner, platform: inner.platform ?? descriptor.platform }, depth + 1),
    );
    const [first] = bestOf(manifests, wanted);
    return first === undefined ? manifests : [first];
  };
  return descriptors.flatMap((descriptor) => resolve(descriptor, 0));
}

/** Those that fit the platform best; none when none fits. */
function bestOf(descriptors: readonly Descriptor[], wanted: Platform): readonly Descriptor[] {
  const rank = ({ platform }: Descriptor) => (platform == null ? 0 : platformRank(wanted, platform));
  const best = descriptors.reduce((highest, descriptor) => Math.max(highest, rank(descriptor)), 0);
  return best === 0 ? [] : descriptors.filter((descriptor) => rank(descriptor) === best);
}

/** The manifest that all descriptors mean, if they mean the same. */
function onlyOne(descriptors: readonly Descriptor[]): Descriptor | undefined {
  const [first] = descriptors;
  return descriptors.every(({ digest }) => digest === first?.digest) ? first : undefined;
}

/** Build tools put attestations beside images, as manifests for the platform "unknown". */
function isImage({ annotations, platform }: Descriptor): boolean {
  return annotations["vnd.docker.reference.type"] !== "attestation-manifest" && platform?.os !== "unknown";
}

function listNames(manifests: readonly Descriptor[]): string {
  return manifests.map(({ annotations, digest }) => annotations[TAG_ANNOTATION] ?? digest).join(", ");
}

function listPlatforms(manifests: readonly Descriptor[]): string {
  return manifests.map(({ platform }) => (platform == null ? "?" : formatPlatform(platform))).join(", ");
}
