/* What documents and blobs of images are called, by the OCI image specification and by Docker. */
import type { Descriptor } from "./documents.ts";

/** An OCI image index. */
export const INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json";
export const DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
/** The configuration of an image; those of other artifacts have others. */
export const OCI_CONFIGURATION = "application/vnd.oci.image.config.v1+json";
export const DOCKER_CONFIGURATION = "application/vnd.docker.container.image.v1+json";

const indexes: readonly string[] = [INDEX_MEDIA_TYPE, DOCKER_MANIFEST_LIST];
const manifests: readonly string[] = [OCI_MANIFEST, DOCKER_MANIFEST];
const configurations: readonly string[] = [OCI_CONFIGURATION, DOCKER_CONFIGURATION];

/** Archives with one file system change set each, as OCI and Docker name them. */
const layer =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+(?:gzip|zstd))?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.(?:gzip|zstd))?)$/;

/** Whether a media type is that of an index, which names manifests for several platforms. */
export function isIndex(mediaType: string): boolean {
  return indexes.includes(mediaType);
}

/** Whether a media type is that of a manifest, which names a configuration and layers. */
export function isManifest(mediaType: string): boolean {
  return manifests.includes(mediaType);
}

/** Whether a media type is that of the configuration of an image. */
export function isConfiguration(mediaType: string): boolean {
  return configurations.includes(mediaType);
}

/** Whether a blob is a layer of files. */
export function isLayer({ mediaType }: Pick<Descriptor, "mediaType">): boolean {
  return layer.test(mediaType);
}
