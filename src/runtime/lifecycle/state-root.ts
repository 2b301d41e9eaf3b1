import { lstatSync, mkdirSync } from "node:fs";
import { BunkerError, errnoOf } from "../../sys/error.ts";

/**
 * Where containers are recorded unless `--root` says otherwise: `$XDG_RUNTIME_DIR/bunker-runtime`, for root without it
 * `/run/bunker-runtime`, else `/tmp/bunker-runtime-UID`.
 */
function defaultStateRoot(): string {
  const runtimeDirectory = process.env["XDG_RUNTIME_DIR"] ?? "";
  if (runtimeDirectory.startsWith("/")) return `${runtimeDirectory}/bunker-runtime`;
  const uid = process.geteuid?.() ?? 0;
  return uid === 0 ? "/run/bunker-runtime" : `/tmp/bunker-runtime-${uid}`;
}

/**
 * Makes the directory of all containers' records if it is not there.
 * @param chosen by the caller; without it the default, which must belong to the caller and to nobody else, because
 * anybody could have made it in /tmp
 * @returns its path
 * @throws BunkerError `state_root_unusable`
 */
export function stateRoot(chosen: string | undefined): string {
  const path = chosen ?? defaultStateRoot();
  const unusable = (details: { errno?: number | undefined; reason?: string }) =>
    new BunkerError({ code: "state_root_unusable", operation: "use the state directory", object: path, ...details });
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unusable({ errno: errnoOf(error) });
  }
  if (chosen !== undefined) return path;
  const status = lstatSync(path);
  if (!status.isDirectory()) throw unusable({ reason: "it is not a directory" });
  if (status.uid !== process.geteuid?.()) throw unusable({ reason: `it belongs to user ${status.uid}` });
  if ((status.mode & 0o022) !== 0) throw unusable({ reason: "others may write to it" });
  return path;
}
