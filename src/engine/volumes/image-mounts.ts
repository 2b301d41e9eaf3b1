/*
 * Images that are mounted in containers (`--mount type=image`): the layers are united on a directory of the container's
 * own, in its mount namespace, and that is bound where the user wants it, all of it or a part. What is written to one that
 * is writable goes to directories beside it, and ends with the container's run.
 */
import { mkdirSync } from "node:fs";
import { formatImageSource } from "../../image/image-source.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { kindInLayers } from "../../mount/layered-file.ts";
import { mountOverlay, overlayProgramSize } from "../../mount/overlay.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { ownWritableDirectories, type UnpackedImage } from "../root-file-system.ts";
import type { ImageMountRequest, PlacedMount } from "../specification/run-options.ts";
import type { MountPoint } from "../state/container-definition.ts";
import { makeChangesDirectory } from "./begin-changes.ts";

/**
 * Makes the directories for an image's mount.
 * @param directory the container's own
 */
export function placeImage(
  request: ImageMountRequest,
  { lower, imageId }: UnpackedImage,
  directory: string,
): { readonly mount: PlacedMount; readonly point: MountPoint } {
  const { destination, readOnly, subpath } = request;
  const source = `${directory}/image-${Bun.hash(destination).toString(16)}`;
  mkdirSync(source);
  const changes = readOnly ? undefined : makeChangesDirectory(directory, destination);
  const common = { source, destination, readOnly, recursive: true, propagation: "rprivate", options: [] } as const;
  return {
    mount: {
      ...common,
      type: "bind",
      source: subpath === undefined ? source : `${source}/${subpath}`,
      createSource: false,
      recursiveReadOnly: readOnly,
      relabel: undefined,
      givesToUser: false,
      isOverlay: false,
    },
    point: {
      ...common,
      options: [],
      type: "image",
      isAnonymous: false,
      ...(subpath === undefined ? {} : { subpath }),
      ...(changes === undefined ? {} : { changes }),
      image: {
        name: formatImageSource(request.image),
        id: imageId,
        lower: [...lower],
        // What is not found here is refused when it is mounted.
        kind: subpath === undefined ? "directory" : (kindInLayers(lower, subpath) ?? "directory"),
      },
    },
  };
}

/**
 * Says how the images of a container are mounted.
 * @param userNamespace the container's
 * @returns for `launchContainer`
 */
export function mountsOfImages(
  data: string,
  mountPoints: readonly MountPoint[],
  userNamespace: IdMap | undefined,
): { readonly mount: (program: LaunchProgram) => void; readonly size: number } {
  const images = mountPoints.flatMap(({ source, changes, image }) =>
    image === undefined ? [] : [{ target: source, lower: image.lower, changes }],
  );
  return {
    mount: (program) => {
      for (const { target, lower, changes } of images) {
        const writable =
          changes === undefined ? undefined : { upper: `${changes}/upper`, work: `${changes}/work`, volatile: true };
        if (writable !== undefined) ownWritableDirectories(program, userNamespace, [writable.upper, writable.work]);
        mountOverlay(program, data, { lower, changes: writable, target });
      }
    },
    size: images.reduce((sum, image) => sum + overlayProgramSize(image), 0),
  };
}
