/*
 * Images as the rows of lists. An image has a row for each of its names, so that each can be seen and used; one that is
 * known by digests alone has a row for each repository (with `--digests`, for each digest), and one without any name is
 * dangling: `<none>`. This is how Docker lists them.
 */

import type { ImageUsage } from "../../image/store/image-size.ts";
import { familiarName } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { elapsed } from "../format/elapsed.ts";
import { hiddenFields } from "../format/hidden-fields.ts";
import { humanSize } from "../format/human-size.ts";
import { localTime } from "../format/local-time.ts";
import { shortId } from "../format/short-id.ts";
import { mapOrNil, type Structure } from "../format/template/value.ts";

/** What stands where an image has no name, tag or digest. */
export const NONE = "<none>";
const UNKNOWN = "N/A";
/** Significant digits of all sizes but `Size`, as in Docker. */
const DIGITS = 4;

/** How rows are made. */
interface RowOptions {
  /** Whether to have a row for each digest too. */
  readonly digests: boolean;
  readonly wholeIds: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** How many containers were made from an image. */
  readonly containersOf: (image: StoredImage) => number;
  /** The full names that an image has and has had; without this they are no field, as Docker has none. */
  readonly namesOf?: ((image: StoredImage) => readonly string[]) | undefined;
  /** Whether templates find Podman's fields, too. */
  readonly withPodmanFields?: boolean;
  /** Of all images that there are. */
  readonly usage: ImageUsage;
}

/** What the fields of a row are called in tables. */
export const imageTitles = {
  Containers: "CONTAINERS",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  Digest: "DIGEST",
  History: "HISTORY",
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  SharedSize: "SHARED SIZE",
  Size: "SIZE",
  Tag: "TAG",
  UniqueSize: "UNIQUE SIZE",
  VirtualSize: "SIZE",
  // Podman's.
  Arch: "ARCH",
  Created: "CREATED",
  CreatedTime: "CREATED TIME",
  Dangling: "DANGLING",
  Id: "IMAGE ID",
  Labels: "LABELS",
  Names: "NAMES",
  Os: "OS",
  ParentId: "PARENT ID",
  ReadOnly: "R/O",
  RepoDigests: "REPO DIGESTS",
  RepoTags: "REPO TAGS",
} as const;

/**
 * Images without those that have no name while another one with the same id has: two manifests of one configuration, as
 * layers that were packed anew have them. Whoever looks at ids sees one image, and it has a name.
 */
export function withoutTwins(images: readonly StoredImage[]): StoredImage[] {
  const isNamed = ({ names, repositoryDigests }: StoredImage) => names.length > 0 || repositoryDigests.length > 0;
  const named = new Set(images.filter(isNamed).map(({ id }) => id));
  return images.filter((image) => isNamed(image) || !named.has(image.id));
}

/** The rows of some images, in their order. */
export function imageRows(images: readonly StoredImage[], options: RowOptions): Structure[] {
  return images.flatMap((image) => labels(image, options.digests).map((label) => row(image, label, options)));
}

/** One way to name an image. */
interface Label {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

function labels({ names, repositoryDigests }: StoredImage, withDigests: boolean): Label[] {
  const tags = names.map(familiarName).map((name) => {
    const colon = name.lastIndexOf(":");
    return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
  });
  const digests = repositoryDigests.map(familiarName).map((name) => {
    const at = name.indexOf("@");
    return { repository: name.slice(0, at), digest: name.slice(at + 1) };
  });
  const digestsOf = (repository: string) => {
    const own = digests.filter((digest) => digest.repository === repository).map(({ digest }) => digest);
    return withDigests && own.length > 0 ? own : [NONE];
  };
  const tagged = tags.flatMap(({ repository, tag }) =>
    digestsOf(repository).map((digest) => ({ repository, tag, digest })),
  );
  const untagged = [...new Set(digests.map(({ repository }) => repository))]
    .filter((repository) => tags.every((tag) => tag.repository !== repository))
    .flatMap((repository) => digestsOf(repository).map((digest) => ({ repository, tag: NONE, digest })));
  const all = [...tagged, ...untagged];
  return all.length > 0 ? all : [{ repository: NONE, tag: NONE, digest: NONE }];
}

function row(image: StoredImage, { repository, tag, digest }: Label, options: RowOptions): Structure {
  const { created, id } = image;
  const fields = {
    get Containers() {
      return String(options.containersOf(image));
    },
    get CreatedAt() {
      return created === undefined ? UNKNOWN : localTime(created);
    },
    CreatedSince: created === undefined ? UNKNOWN : `${elapsed(options.now - created)} ago`,
    Digest: digest,
    ...(options.namesOf === undefined ? {} : { History: options.namesOf(image).map(familiarName).join(", ") }),
    ID: options.wholeIds ? id : shortId(id),
    Repository: repository,
    get SharedSize() {
      return humanSize(options.usage.shared(image), DIGITS);
    },
    get Size() {
      return humanSize(options.usage.size(image));
    },
    Tag: tag,
    get UniqueSize() {
      return humanSize(options.usage.size(image) - options.usage.shared(image), DIGITS);
    },
    get VirtualSize() {
      return humanSize(options.usage.size(image), DIGITS);
    },
  };
  return options.withPodmanFields === true ? hiddenFields(fields, podmanFields(image, fields)) : fields;
}

function podmanFields(
  image: StoredImage,
  { CreatedAt, CreatedSince }: { readonly CreatedAt: string; readonly CreatedSince: string },
): Structure {
  const names = image.names.map(familiarName);
  return {
    Arch: image.platform.architecture,
    Created: CreatedSince,
    CreatedTime: CreatedAt,
    Dangling: names.length === 0,
    Id: image.id.slice(image.id.indexOf(":") + 1),
    Labels: mapOrNil(image.labels),
    Names: names,
    Os: image.platform.os,
    ParentId: "",
    ReadOnly: image.isReadOnly,
    RepoDigests: image.repositoryDigests.map(familiarName),
    RepoTags: names,
  };
}
