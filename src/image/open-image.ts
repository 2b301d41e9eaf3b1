import { resolve } from "node:path";
import { readArchiveMembers } from "./archive-members.ts";
import { openDockerArchive } from "./docker-archive.ts";
import type { Image } from "./image.ts";
import { openLayout } from "./image-layout.ts";
import { formatImageSource, type LocalImageSource } from "./image-source.ts";
import { archiveFiles } from "./layout-files.ts";
import { openDirectory } from "./open-directory.ts";
import type { Platform } from "./platform.ts";

/**
 * Opens an image in local files: reads and verifies its documents, and finds its layers. For a directory that is three
 * or four small files; for an archive its headers are read besides.
 * @param platform undefined takes what fits this machine, or the only one there is
 * @throws BunkerError `image_not_found`, `image_ambiguous`, `platform_mismatch`, `image_invalid`, `image_unreadable`,
 *   `digest_mismatch`, `archive_invalid`, `archive_compressed`
 */
export function openImage(source: LocalImageSource, platform?: Platform): Image {
  if (source.kind === "oci") return openDirectory(source, platform);
  const name = formatImageSource(source);
  const files = archiveFiles(readArchiveMembers(resolve(source.path), name), name);
  return source.kind === "oci-archive"
    ? openLayout(files, source.tag, platform, name)
    : openDockerArchive(files, source.tag, platform, name);
}
