import { existsSync } from "node:fs";
import type { ImageConfiguration, ImageDetails } from "../../image/documents.ts";
import { parseDocument } from "../../image/documents.ts";
import { layerDirectory } from "../../image/layers/layer-directory.ts";
import { imageSize } from "../../image/store/image-size.ts";
import { familiarName, type ImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { withAbsent } from "../format/hidden-fields.ts";
import { NIL_MAP, NIL_SLICE, type Structure, type Value } from "../format/template/value.ts";

/**
 * What `docker image inspect` shows of an image; Docker Engine API, ImageInspect.
 * @throws BunkerError as `ImageStore.readConfiguration`
 */
export function inspectImage(store: ImageStore, image: StoredImage): Structure {
  const configuration = store.readConfiguration(image);
  const details = parseDocument("imageDetails", store.readDocument(image.id), `configuration ${image.id}`);
  const { platform } = configuration;
  const fields = {
    Id: image.id,
    RepoTags: image.names.map(familiarName),
    RepoDigests: image.repositoryDigests.map(familiarName),
    Parent: "",
    Comment: details.comment === "" ? (details.history.at(-1)?.comment ?? "") : details.comment,
    Created: configuration.created ?? "",
    DockerVersion: details.dockerVersion,
    Author: details.author,
    Config: inspectConfiguration(configuration, details),
    Architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { Variant: platform.variant }),
    Os: platform.os,
    ...(details.osVersion === "" ? {} : { OsVersion: details.osVersion }),
    get Size() {
      return imageSize(image);
    },
    GraphDriver: { Data: layerPaths(image), Name: "overlay" },
    RootFS: { Type: "layers", Layers: configuration.diffIds },
    Metadata: { LastTagTime: new Date(image.tagged) },
    Descriptor: { mediaType: image.manifest.mediaType, digest: image.manifest.digest, size: image.manifest.size },
  };
  return withAbsent(fields, { Variant: "", OsVersion: "" });
}

/** How containers of an image start, as `Config` of Docker's images has it. */
function inspectConfiguration(configuration: ImageConfiguration, details: ImageDetails): Structure {
  const { healthcheck } = configuration;
  const fields = {
    User: configuration.user,
    ExposedPorts: set(configuration.exposedPorts),
    Env: slice(configuration.environment),
    Cmd: slice(configuration.command),
    ...(healthcheck === undefined ? {} : { Healthcheck: inspectHealthcheck(healthcheck) }),
    ...(details.argumentsEscaped ? { ArgsEscaped: true } : {}),
    Volumes: set(configuration.volumes),
    WorkingDir: configuration.workingDirectory,
    Entrypoint: slice(configuration.entrypoint),
    OnBuild: slice(details.onBuild),
    Labels: map(Object.entries(configuration.labels)),
    StopSignal: configuration.stopSignal ?? "",
    Shell: slice(configuration.shell),
  };
  return withAbsent(fields, { Healthcheck: null, ArgsEscaped: false });
}

/** Durations in nanoseconds; those that the image does not say are left out. */
function inspectHealthcheck(healthcheck: NonNullable<ImageConfiguration["healthcheck"]>): Structure {
  const { Test, ...numbers } = healthcheck;
  const given = Object.entries(numbers).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return { Test, ...Object.fromEntries(given) };
}

/** Where the unpacked layers are, as the overlay driver of Docker says it; nothing until they are unpacked. */
function layerPaths(image: StoredImage): ReadonlyMap<string, Value> {
  const directories = image.layers.map((layer) => unpackedDirectory(image, layer));
  const [upper, ...lower] = directories.toReversed();
  if (upper === undefined || directories.includes(undefined)) return NIL_MAP;
  return new Map([...(lower.length > 0 ? [["LowerDir", lower.join(":")] as const] : []), ["UpperDir", upper]]);
}

function unpackedDirectory({ store }: StoredImage, layer: StoredImage["layers"][number]): string | undefined {
  const paths = (["full", "single"] as const).map((mapping) => layerDirectory(layer, store, mapping));
  return paths.find((path) => existsSync(path));
}

function slice(elements: readonly string[]): Value {
  return elements.length === 0 ? NIL_SLICE : elements;
}

function set(members: readonly string[]): Value {
  return map(members.map((member) => [member, {}] as const));
}

function map(entries: readonly (readonly [string, Value])[]): Value {
  return entries.length === 0 ? NIL_MAP : new Map(entries);
}
