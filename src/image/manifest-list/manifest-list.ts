/*
 * Lists of images for several platforms that a user puts together: OCI image indexes, edited. Nothing of an index that
 * is changed gets lost, so fields that are not known here stay as they are.
 */

import * as v from "valibot";
import { BunkerError } from "../../sys/error.ts";
import { type Digest, digestSchema } from "../digest.ts";
import { invalidDocument } from "../documents.ts";
import { INDEX_MEDIA_TYPE } from "../media-types.ts";
import type { BlobDescriptor } from "../store/stored-image.ts";

const textMap = v.record(v.string(), v.string());

const memberPlatform = v.looseObject({
  architecture: v.string(),
  os: v.string(),
  "os.version": v.optional(v.string()),
  "os.features": v.optional(v.array(v.string())),
  variant: v.optional(v.string()),
  features: v.optional(v.array(v.string())),
});

const member = v.looseObject({
  mediaType: v.string(),
  digest: digestSchema,
  size: v.number(),
  platform: v.optional(memberPlatform),
  annotations: v.optional(textMap),
  artifactType: v.optional(v.string()),
});

const list = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.string(), INDEX_MEDIA_TYPE),
  manifests: v.array(member),
  annotations: v.optional(textMap),
});

/** One image of a list. */
export type ListMember = Readonly<v.InferOutput<typeof member>>;

/** A list. */
export type ManifestList = Readonly<v.InferOutput<typeof list>>;

/** A list of nothing yet. */
export const EMPTY_LIST: ManifestList = { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: [] };

/**
 * Reads a list.
 * @param name for messages
 * @throws BunkerError `image_invalid`
 */
export function parseManifestList(bytes: Buffer, name: string): ManifestList {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), list), bytes.toString());
  if (result.success) return result.output;
  throw invalidDocument(`the list ${name}`, result.issues[0].message);
}

/** A list as it is stored and pushed. */
export function serialiseManifestList(list: ManifestList): Buffer {
  return Buffer.from(JSON.stringify(list, undefined, 3));
}

/** The list with one more member, which takes the place of one with the same digest. */
export function withMember(list: ManifestList, added: ListMember): ManifestList {
  const others = list.manifests.filter(({ digest }) => digest !== added.digest);
  return { ...list, manifests: [...others, added] };
}

/**
 * The list without a member.
 * @param name of the list, for messages
 * @throws BunkerError `manifest_not_found`
 */
export function withoutMember(list: ManifestList, digest: Digest, name: string): ManifestList {
  findMember(list, digest, name);
  return { ...list, manifests: list.manifests.filter((candidate) => candidate.digest !== digest) };
}

/** What may be said of a member; undefined and empty leave what is there. */
export interface Annotation {
  readonly architecture: string | undefined;
  readonly os: string | undefined;
  readonly osVersion: string | undefined;
  readonly osFeatures: readonly string[];
  readonly features: readonly string[];
  readonly variant: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A member with more said of it. */
export function annotate(member: ListMember, annotation: Annotation): ListMember {
  const { architecture, os, osVersion, osFeatures, features, variant } = annotation;
  const platform = {
    architecture: "",
    os: "",
    ...member.platform,
    ...defined({ architecture, os, variant, "os.version": osVersion }),
    ...(osFeatures.length > 0 ? { "os.features": [...osFeatures] } : {}),
    ...(features.length > 0 ? { features: [...features] } : {}),
  };
  const annotations = { ...member.annotations, ...annotation.annotations };
  const isKnown = platform.architecture !== "" || platform.os !== "";
  return {
    ...member,
    ...(isKnown ? { platform } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

/** A list with more annotations of its own. */
export function annotateList(list: ManifestList, annotations: Readonly<Record<string, string>>): ManifestList {
  if (Object.keys(annotations).length === 0) return list;
  return { ...list, annotations: { ...list.annotations, ...annotations } };
}

/** The list with the image that it is about, which registries then tell who asks what refers to that image. */
export function withSubject(list: ManifestList, { mediaType, digest, size }: BlobDescriptor): ManifestList {
  return { ...list, subject: { mediaType, digest, size } };
}

function defined(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  );
}

/**
 * The member with a digest.
 * @param name of the list, for messages
 * @throws BunkerError `manifest_not_found`
 */
export function findMember({ manifests }: ManifestList, digest: Digest, name: string): ListMember {
  const found = manifests.find((candidate) => candidate.digest === digest);
  if (found !== undefined) return found;
  throw new BunkerError({
    code: "manifest_not_found",
    operation: `find ${digest} in`,
    object: `the list ${name}`,
    reason: "it is not in it",
    hint: `bunker manifest inspect ${name} shows what is.`,
  });
}
