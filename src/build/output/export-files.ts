import { formatPlatform } from "../../image/platform.ts";
import type { BuildOutput } from "../build-options.ts";
import { mountReadable } from "../graph/mounted-root.ts";
import { type BuildSession, directoriesOf } from "../graph/session.ts";
import type { Vertex } from "../progress.ts";
import type { BuiltTarget } from "./export.ts";
import { copyToDirectory, writeArchive } from "./write-files.ts";

/**
 * Writes the files of what was built; of several platforms in a directory each its own.
 * @throws BunkerError as `copyToDirectory` and `writeArchive`
 */
export async function exportFiles(
  session: BuildSession,
  output: Extract<BuildOutput, { readonly type: "local" | "tar" }>,
  targets: readonly BuiltTarget[],
  vertex: Vertex,
): Promise<void> {
  const { observer, signal, sourceDateEpoch } = session;
  for (const { root, stage } of targets) {
    const directories = await directoriesOf(root, session);
    vertex.status("copy", "copying files");
    if (output.type === "tar") {
      const warnings = await writeArchive(directories, output.destination, sourceDateEpoch, signal);
      for (const warning of warnings) observer.warn(warning);
    } else {
      using mounted = mountReadable(session, directories);
      const platform = formatPlatform(stage.platform).replaceAll("/", "_");
      const destination = targets.length === 1 ? output.destination : `${output.destination}/${platform}`;
      for (const warning of await copyToDirectory(mounted.path, destination, signal)) observer.warn(warning);
    }
    vertex.status("copy", "copying files", true);
  }
}
