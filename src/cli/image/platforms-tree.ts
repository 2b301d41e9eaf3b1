/*
 * `images --tree`: each image with the platforms of it that are here. What was pulled under one name for several
 * platforms is one image with several branches; any other has one.
 */
import { formatPlatform } from "../../image/platform.ts";
import { imageSize, imageUsage } from "../../image/store/image-size.ts";
import { familiarName, type ImageStore } from "../../image/store/image-store.ts";
import { manifestsOf } from "../../image/store/index-members.ts";
import { contentSize, type StoredImage } from "../../image/store/stored-image.ts";
import { alignColumns } from "../format/align-columns.ts";
import { humanSize } from "../format/human-size.ts";
import { shortId } from "../format/short-id.ts";
import { NONE } from "./image-rows.ts";

/**
 * Draws the tree.
 * @param wholeIds whether to show all digits of ids
 * @returns lines
 */
export function formatPlatforms(images: readonly StoredImage[], store: ImageStore, wholeIds: boolean): string {
  const id = (digest: string) => (wholeIds ? digest : shortId(digest));
  const sizes = (members: readonly StoredImage[]) => [
    humanSize(members.length === 1 ? (members.map(imageSize)[0] ?? 0) : imageUsage(members).total),
    humanSize(contentSize(members)),
  ];
  const lines = families(images, store).flatMap(({ digest, names, members }) => [
    ...names.slice(0, -1).map((name) => [name, "", "", ""]),
    [names.at(-1) ?? NONE, id(digest), ...sizes(members)],
    ...members.map((member, index) => {
      const branch = index === members.length - 1 ? "└─" : "├─";
      return [`${branch} ${formatPlatform(member.platform)}`, id(member.id), ...sizes([member])];
    }),
  ]);
  const table = [["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE"], ...lines];
  return alignColumns(table.map((cells) => `${cells.join("\t")}\n`).join(""));
}

/** Images that have a name together. */
interface Family {
  /** What the names stand for: an index, or else the id of the only image. */
  readonly digest: string;
  readonly names: readonly string[];
  readonly members: readonly StoredImage[];
}

function families(images: readonly StoredImage[], store: ImageStore): Family[] {
  const names = new Map<string, string[]>();
  const members = new Map<string, StoredImage[]>();
  const seen = new Set<StoredImage>();
  const enter = (digest: string, image: StoredImage) => {
    const known = members.get(digest) ?? [];
    if (!known.includes(image)) members.set(digest, [...known, image]);
    seen.add(image);
  };
  for (const image of images) {
    for (const name of image.names) {
      const target = store.target(name);
      const isOfIndex = target !== undefined && target.digest !== image.manifest.digest;
      const digest = isOfIndex ? target.digest : image.id;
      names.set(digest, [...(names.get(digest) ?? []), familiarName(name)]);
      const ofIndex = isOfIndex ? new Set(manifestsOf(store, target)) : undefined;
      for (const other of images) if (other === image || ofIndex?.has(other.manifest.digest)) enter(digest, other);
    }
  }
  for (const image of images) {
    if (seen.has(image)) continue;
    // A platform that was pulled earlier has lost the name, but its repositories' digests are those of the index.
    const ofIndex = image.repositoryDigests.map(digestOf).find((digest) => digest !== image.manifest.digest);
    enter(ofIndex ?? image.id, image);
  }
  return [...members].map(([digest, group]) => ({ digest, names: names.get(digest) ?? [], members: group }));
}

function digestOf(name: string): string {
  return name.slice(name.indexOf("@") + 1);
}
