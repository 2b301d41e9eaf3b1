/*
 * A plain image layout as what a server has. Tags are the entries of index.json, named `REPOSITORY:TAG`, so other tools
 * find there what was pushed: `skopeo inspect oci:DIR:team/app:1`. A manifest without a tag (one image of an index, a
 * signature) is an entry without a name, whose repository stands in an annotation of its own.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import { synchronizeFileSystem } from "../../../sys/file.ts";
import { check } from "../../../sys/system-call.ts";
import { digestSchema } from "../../digest.ts";
import { invalidDocument, MAXIMUM_DOCUMENT_SIZE } from "../../documents.ts";
import { TAG_ANNOTATION } from "../../manifest-choice.ts";
import { INDEX_MEDIA_TYPE } from "../../media-types.ts";
import { type LayoutStaging, lockLayout } from "../../transport/layout-staging.ts";
import type { RegistryContents, ServedManifest } from "./registry-contents.ts";
import { servedName } from "./served-name.ts";

/** The repository of a manifest without a tag. */
const REPOSITORY_ANNOTATION = "bunker.repository";

const index = v.pipe(
  v.string(),
  v.parseJson(undefined, "it is not JSON"),
  v.looseObject({
    manifests: v.nullish(
      v.array(
        v.looseObject({
          mediaType: v.nullish(v.string(), ""),
          digest: digestSchema,
          size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
          annotations: v.nullish(v.record(v.string(), v.string())),
        }),
      ),
      [],
    ),
  }),
);

type Index = v.InferOutput<typeof index>;
type Entry = Index["manifests"][number];

/**
 * Opens a layout.
 * @param staging where index.json grows; undefined for a layout that is only read
 */
export function layoutContents(directory: string, staging: LayoutStaging | undefined): RegistryContents {
  const path = `${directory}/index.json`;
  let known: { readonly version: string; readonly index: Index } | undefined;

  const read = (): Index => {
    const status = statSync(path, { throwIfNoEntry: false, bigint: true });
    if (status === undefined) return { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: [] };
    // It is replaced, never written over.
    const version = `${status.ino} ${status.mtimeNs} ${status.size}`;
    if (known?.version !== version) known = { version, index: parseIndex(path, Number(status.size)) };
    return known.index;
  };

  const change = (update: (entries: readonly Entry[]) => readonly Entry[]) => {
    if (staging === undefined) throw new Error("a layout that is only read was to be changed");
    using own = lockLayout(directory);
    const present = read();
    const text = JSON.stringify({ ...present, manifests: update(present.manifests) });
    writeFileSync(`${staging.path}/index.json`, text, { mode: 0o644 });
    if (!existsSync(`${directory}/oci-layout`)) {
      writeFileSync(`${directory}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    }
    check(synchronizeFileSystem(own.number), "write to disk", directory);
    renameSync(`${staging.path}/index.json`, path);
  };

  return {
    directory,
    isReadOnly: staging === undefined,
    // Nobody removes any.
    hold: (_repository, _digest, blob) => existsSync(blob),
    rely: () => ({ [Symbol.dispose]: () => undefined }),
    manifests: () => read().manifests.flatMap((entry) => servedManifest(entry) ?? []),
    add: ({ repository, tag, mediaType, digest, size }) => {
      const annotations =
        tag === undefined ? { [REPOSITORY_ANNOTATION]: repository } : { [TAG_ANNOTATION]: `${repository}:${tag}` };
      change((entries) => [
        ...withoutTag(entries, repository, tag).filter(
          (entry) => !isUntagged(servedManifest(entry), repository, digest),
        ),
        { mediaType, digest, size, annotations },
      ]);
    },
    remove: (repository, which) =>
      change((entries) => {
        if ("tag" in which) return withoutTag(entries, repository, which.tag);
        return entries.filter((entry) => !isOf(servedManifest(entry), repository, which.digest));
      }),
  };
}

/** Takes a tag away from what it stands for, which is still known by its digest: somebody may have pinned that. */
function withoutTag(entries: readonly Entry[], repository: string, tag: string | undefined): readonly Entry[] {
  if (tag === undefined) return entries;
  return entries.flatMap((entry) => {
    const served = servedManifest(entry);
    if (served?.repository !== repository || served.tag !== tag) return [entry];
    const { mediaType, digest, size } = entry;
    const isKnown = entries.some((other) => other !== entry && isOf(servedManifest(other), repository, digest));
    return isKnown ? [] : [{ mediaType, digest, size, annotations: { [REPOSITORY_ANNOTATION]: repository } }];
  });
}

function isOf(served: ServedManifest | undefined, repository: string, digest: string): boolean {
  return served?.repository === repository && served.digest === digest;
}

function isUntagged(served: ServedManifest | undefined, repository: string, digest: string): boolean {
  return isOf(served, repository, digest) && served?.tag === undefined;
}

function servedManifest({ mediaType, digest, size, annotations }: Entry): ServedManifest | undefined {
  const repository = annotations?.[REPOSITORY_ANNOTATION];
  if (repository !== undefined) return { mediaType, digest, size, repository, tag: undefined };
  const name = servedName(annotations?.[TAG_ANNOTATION] ?? "");
  return name === undefined ? undefined : { mediaType, digest, size, ...name };
}

function parseIndex(path: string, size: number): Index {
  if (size > MAXIMUM_DOCUMENT_SIZE) throw invalidDocument(path, `it has ${size} bytes, more than 4 MiB`);
  const result = v.safeParse(index, readFileSync(path, "utf8"));
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalidDocument(path, `${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}

/** Makes the directories of a layout where they are missing. */
export function makeLayout(directory: string): void {
  mkdirSync(`${directory}/blobs/sha256`, { recursive: true });
}
