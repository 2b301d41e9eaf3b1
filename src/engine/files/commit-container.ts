/*
 * An image of what a container has become; `docker commit`. What the container has changed is packed into one layer,
 * which goes on top of those of its image: their packed bytes are in the store, and are not touched. With `squash` there
 * is one layer of everything instead, and the image's are not needed.
 *
 * Whoever knows the files is root of the container's user namespace, and whoever may write to the store is the user; so a
 * file for the layer is opened here and written there.
 */
import { rmSync } from "node:fs";
import { open } from "node:fs/promises";
import * as v from "valibot";
import type { ConfigurationChange, ConfigurationParameters } from "../../image/configuration-parameters.ts";
import { type Digest, digestOf } from "../../image/digest.ts";
import { lockStore } from "../../image/layers/store-lock.ts";
import { hostPlatform } from "../../image/platform.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import { storeImage } from "../../image/store/load-images.ts";
import { type LayerFile, readerOfNewImage } from "../../image/store/new-image.ts";
import { OpenBlobs } from "../../image/store/open-blobs.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { sourceDateEpoch } from "../../image/transport/source-date-epoch.ts";
import { BunkerError } from "../../sys/error.ts";
import { writeError } from "../../sys/write-error.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { Container } from "../state/containers.ts";
import { askInside } from "./ask-inside.ts";
import { layersOf, namespaceOf } from "./container-layers.ts";
import type { PackedLayer } from "./read-layers.ts";

/** The digest of an archive with nothing in it: no layer is made of that. */
const EMPTY_ARCHIVE = digestOf(Buffer.alloc(1024));

/** Members of a configuration that are the container's alone: what it does not have, the image does not get. */
const STATED_BY_CONTAINERS = ["Cmd", "Entrypoint", "Healthcheck", "Labels", "OnBuild", "StopSignal"];

export interface CommitOptions {
  readonly author: string | undefined;
  /** What the history says of it. */
  readonly message: string | undefined;
  /** Made one after the other. */
  readonly changes: readonly ConfigurationChange[];
  readonly squash: boolean;
  /** Whether the image names all places where the container has volumes, and not only those of its own image. */
  readonly includeVolumes: boolean;
  readonly format: "oci" | "docker";
  /** The full name, with a tag, that the image gets; undefined gives it none. */
  readonly name: string | undefined;
  readonly signal: AbortSignal;
}

/** The image that was made, and what could not be kept in it. */
export interface CommittedImage {
  readonly id: Digest;
  readonly warnings: readonly string[];
}

const digest = v.custom<Digest>((value) => typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value));

const packedSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ mediaType: v.string(), digest, size: v.number(), diffId: digest, warnings: v.array(v.string()) }),
);

const baseSchema = v.looseObject({
  config: v.nullish(v.looseObject({})),
  history: v.nullish(v.array(v.looseObject({}))),
});

const shownSchema = v.object({
  User: v.string(),
  Env: v.array(v.string()),
  Cmd: v.nullable(v.array(v.string())),
  WorkingDir: v.string(),
  Entrypoint: v.nullable(v.array(v.string())),
  ExposedPorts: v.record(v.string(), v.object({})),
  Volumes: v.record(v.string(), v.object({})),
});

/**
 * Makes an image of a container.
 * @throws BunkerError `not_layered`, `image_not_found`, `invalid_change`, `no_space`, and what `storeImage` throws
 */
export async function commitContainer(
  store: ImageStore,
  data: string,
  container: Container,
  options: CommitOptions,
): Promise<CommittedImage> {
  const layers = layersOf("commit", data, container);
  using blobs = new OpenBlobs(store);
  const base = openBase(store, blobs, container, options.squash);
  const parameters = options.changes.reduce<ConfigurationParameters>(
    (changed, change) => change(changed),
    parametersOf(container, options.includeVolumes),
  );
  using lock = lockStore(store.directory);
  const path = `${lock.stagingPath}/${crypto.randomUUID()}`;
  using _ = { [Symbol.dispose]: () => rmSync(path, { force: true }) };
  const epoch = sourceDateEpoch();
  const request = { layers, content: options.squash ? "everything" : "changes", latestTime: epoch };
  const map = namespaceOf(readConfiguration(data, container.id));
  const packed = await packInto(path, (descriptor) =>
    askInside(map, "pack", request, { descriptors: [descriptor] }, options.signal),
  );
  const isEmpty = packed.diffId === EMPTY_ARCHIVE;
  const created = new Date(epoch === undefined ? Date.now() : epoch * 1000).toISOString();
  const history = {
    created,
    created_by: container.definition.command.join(" "),
    ...(options.author === undefined ? {} : { author: options.author }),
    ...(options.message === undefined ? {} : { comment: options.message }),
    ...(isEmpty ? { empty_layer: true } : {}),
  };
  const below = options.squash ? [] : (base?.layers ?? []);
  const document = base === undefined ? {} : v.parse(baseSchema, JSON.parse(store.readDocument(base.id).toString()));
  const { os, architecture, variant } = base?.platform ?? hostPlatform();
  const inherited = Object.entries(document.config ?? {}).filter(([name]) => !STATED_BY_CONTAINERS.includes(name));
  const configuration = Buffer.from(
    JSON.stringify({
      created,
      ...(options.author === undefined ? {} : { author: options.author }),
      ...(options.message === undefined ? {} : { comment: options.message }),
      os,
      architecture,
      ...(variant === undefined ? {} : { variant }),
      config: { ...Object.fromEntries(inherited), ...healthOf(container), ...parameters },
      rootfs: { type: "layers", diff_ids: [...below.map(({ diffId }) => diffId), ...(isEmpty ? [] : [packed.diffId])] },
      history: [...historyOf(options.squash ? [] : (document.history ?? []), below.length), history],
    }),
  );
  const files: LayerFile[] = below.map(({ mediaType, digest, size }) => ({
    mediaType,
    digest,
    size,
    path: blobs.get(digest),
  }));
  if (!isEmpty) files.push({ ...packed, path });
  const { format, name, signal } = options;
  const reader = readerOfNewImage({ name: container.name, configuration, layers: files, format });
  const id = await storeImage(store, reader, name === undefined ? [] : [name], { platform: undefined, signal });
  return { id, warnings: packed.warnings };
}

/** A history with an entry for each layer, also where an image says nothing of some: entries are counted from below. */
function historyOf(history: readonly object[], layers: number): object[] {
  const known = history.filter((entry) => !("empty_layer" in entry && entry.empty_layer === true)).length;
  return [...history, ...Array.from({ length: Math.max(0, layers - known) }, () => ({}))];
}

/**
 * The image that a container was made from, whose layers stay until the new image has them; undefined only where everything
 * is packed anyway.
 */
function openBase(
  store: ImageStore,
  blobs: OpenBlobs,
  { definition }: Container,
  squash: boolean,
): StoredImage | undefined {
  using _ = store.rely();
  const found = store.findIfThere(definition.imageId);
  for (const { digest } of squash ? [] : (found?.layers ?? [])) blobs.get(digest);
  if (found !== undefined || squash) return found;
  throw new BunkerError({
    code: "image_not_found",
    operation: "find the image of the container",
    object: definition.image,
    reason: "it is not in the store, and its layers are needed packed",
    hint: "Bring it there (bunker pull, bunker load), or commit everything as one layer (--squash).",
    exitStatus: 1,
  });
}

async function packInto(path: string, pack: (descriptor: number) => Promise<string>): Promise<PackedLayer> {
  try {
    await using file = await open(path, "wx", 0o600);
    return v.parse(packedSchema, await pack(file.fd));
  } catch (cause) {
    throw writeError(cause, "write", path);
  }
}

/** How the container was run, as its image is to say. */
function parametersOf({ definition }: Container, includeVolumes: boolean): ConfigurationParameters {
  const shown = v.parse(shownSchema, definition.shown.configuration);
  const places = includeVolumes ? definition.mountPoints.map(({ destination }) => [destination, {}] as const) : [];
  const { Cmd, Entrypoint, ...rest } = shown;
  return {
    ...rest,
    Volumes: { ...rest.Volumes, ...Object.fromEntries(places) },
    ...(Cmd === null || Cmd.length === 0 ? {} : { Cmd }),
    ...(Entrypoint === null ? {} : { Entrypoint }),
    Labels: definition.labels,
    ...(definition.stopSignal === undefined ? {} : { StopSignal: definition.stopSignal }),
  };
}

/** The health check, in nanoseconds as images have it. */
function healthOf({ definition: { health } }: Container): object {
  if (health === undefined) return {};
  const nanoseconds = (milliseconds: number) => milliseconds * 1e6;
  return {
    Healthcheck: {
      Test: health.test,
      Interval: nanoseconds(health.interval),
      Timeout: nanoseconds(health.timeout),
      StartPeriod: nanoseconds(health.startPeriod),
      StartInterval: nanoseconds(health.startInterval),
      Retries: health.retries,
    },
  };
}
