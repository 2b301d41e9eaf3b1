import { resolve } from "node:path";
import { readArchiveMembers } from "../../image/archive-members.ts";
import { parseDocument } from "../../image/documents.ts";
import { archiveFiles, directoryFiles } from "../../image/layout-files.ts";
import { newImageName } from "../../image/new-name.ts";
import { type Platform, parsePlatform } from "../../image/platform.ts";
import { familiarName, openImageStore } from "../../image/store/image-store.ts";
import { pullImage } from "../../image/store/pull-image.ts";
import { openArchiveInput } from "../../image/transport/archive-input.ts";
import { archivedImages, dockerNamesOf } from "../../image/transport/archived-images.ts";
import { formatLocalPlace, type LocalPlace } from "../../image/transport/image-place.ts";
import { openLocalReader } from "../../image/transport/local-places.ts";
import { readManifestFor, readRoot } from "../../image/transport/read-manifests.ts";
import type { ImageReader } from "../../image/transport/transport.ts";
import type { RootNamespace } from "../../runtime/root-namespace.ts";
import { recordImageEvent } from "../events/journal.ts";
import type { PullObserver } from "./pull.ts";
import type { PullRequest } from "./pull-request.ts";

/**
 * Brings an image that lies on disk into the store. It gets the name that it was asked for by, or else those that it has
 * there; one without a name is known by its id.
 * @param root as `executePull`
 * @throws BunkerError as `openArchiveInput`, `openLocalReader` and `pullImage` do
 */
export async function pullLocal(
  { kind, path: shownPath, tag }: NonNullable<PullRequest["place"]>,
  request: PullRequest,
  observer: PullObserver,
  signal: AbortSignal,
  root: (() => RootNamespace) | undefined,
): Promise<void> {
  const place: LocalPlace = { kind, path: shownPath, tag };
  const platform = request.platform === undefined ? undefined : parsePlatform(request.platform);
  using store = openImageStore(request.data);
  await using opened = new AsyncDisposableStack();
  const isDirectory = kind === "oci" || kind === "dir";
  const path = isDirectory ? shownPath : opened.use(await openArchiveInput(shownPath, request.data, signal)).path;
  const reader = opened.use(await openLocalReader({ ...place, path }, platform, place));
  const names = await namesOf(place, path, reader, platform);
  const image = await pullImage(reader, store, {
    platform,
    names,
    repositories: [],
    unpacking: { ...request, root },
    signal,
    onLayers: (layers) => observer.layers(layers),
    onEvent: (event) => observer.event(event),
    onWarning: (message) => observer.warn(message),
  });
  const [name] = names;
  const familiar = name === undefined ? image.id : familiarName(name);
  recordImageEvent(request.data, "pull", familiar, familiar);
  observer.end({ familiar, full: name ?? image.id }, image);
}

/** @param path where the place's files are read, which may be a copy */
async function namesOf(
  { kind, tag, path: shownPath }: LocalPlace,
  path: string,
  reader: ImageReader,
  platform: Platform | undefined,
): Promise<readonly string[]> {
  if (kind === "dir") return [];
  // What an image layout calls an image may be a tag alone; a number is a place in a list.
  const isName = tag !== undefined && !/^@[0-9]+$/.test(tag) && (kind === "docker-archive" || /[:/]/.test(tag));
  if (isName) return [newImageName(tag)];
  const shown = formatLocalPlace({ kind, tag: undefined, path: shownPath });
  const files =
    kind === "oci" ? directoryFiles(resolve(path), shown) : archiveFiles(readArchiveMembers(path, shown), shown);
  const root = await readRoot(reader);
  if (kind === "docker-archive") {
    const { bytes, digest } = await readManifestFor(reader, root, platform);
    return dockerNamesOf(
      files,
      parseDocument("manifest", bytes, `manifest ${digest} of ${shown}`).config.digest,
      shown,
    );
  }
  for (const image of await archivedImages(files, shown)) {
    if ((await readRoot(image.reader)).digest === root.digest) return image.names;
  }
  return [];
}
