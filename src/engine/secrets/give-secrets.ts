/*
 * What a container gets of secrets, as with Podman: a copy, when it is made. A file is copied into the container's
 * directory, given to the user that the request names, and bound to its place, by default beneath /run/secrets; a variable
 * stands in the container's config.json, which the user alone may read, and in nothing that is shown. So a secret that is
 * changed or removed later is another matter than what the container has.
 */
import { type IdMap, outerId } from "../../runtime/id-map/id-mapping.ts";
import { BunkerError } from "../../sys/error.ts";
import { makeDirectory } from "../../sys/named-file.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import type { PlacedMount, SecretFileRequest, SecretRequest } from "../specification/run-options.ts";
import { openSecrets } from "../state/secrets.ts";
import { giveTo } from "../volumes/give-to.ts";
import { readSecret } from "./secret-data.ts";

/** Secrets as a container has them. */
export interface GivenSecrets {
  readonly mounts: readonly PlacedMount[];
  /** `NAME=value`. */
  readonly environment: readonly string[];
  /** What inspect shows, as with Podman. */
  readonly shown: readonly { readonly Name: string; readonly ID: string; readonly Size: number }[];
}

/**
 * Copies the secrets that a container is to have into its directory.
 * @param directory the container's
 * @param map the container's user namespace; undefined for none
 * @throws BunkerError `no_such_secret`, `ambiguous_secret`, `secret_unreadable`, `id_not_mapped`, `secret_not_text`,
 * `system_call_failed`
 */
export function giveSecrets(
  data: string,
  requests: readonly SecretRequest[],
  directory: string,
  map: IdMap | undefined,
): GivenSecrets {
  using database = openSecrets(data);
  const copies = `${directory}/secrets`;
  makeDirectory(copies, 0o700);
  const mounts: PlacedMount[] = [];
  const environment: string[] = [];
  const shown = new Map<string, GivenSecrets["shown"][number]>();
  for (const [index, request] of requests.entries()) {
    const { secret, content } = readSecret(database, data, request.source);
    shown.set(secret.id, { Name: secret.name, ID: secret.id, Size: content.length });
    if (request.type === "mount") {
      const path = `${copies}/${index}`;
      copyTo(path, content, request, map, data);
      mounts.push(fileMount(path, request.target));
    } else {
      environment.push(`${request.target}=${textOf(content, secret.name)}`);
    }
  }
  return { mounts, environment, shown: [...shown.values()] };
}

function copyTo(
  path: string,
  content: Uint8Array,
  { source, uid, gid, mode }: SecretFileRequest,
  map: IdMap | undefined,
  data: string,
): void {
  const outer =
    map === undefined ? { uid, gid } : { uid: outerId(map.uidMappings, uid), gid: outerId(map.gidMappings, gid) };
  if (outer.uid === undefined || outer.gid === undefined) {
    throw new BunkerError({
      code: "id_not_mapped",
      operation: `give secret ${source} to`,
      object: outer.uid === undefined ? `user id ${uid}` : `group id ${gid}`,
      reason: "the container's user namespace has no such id",
    });
  }
  const { writeFileSync, chmodSync } = nodeFileSystem();
  writeFileSync(path, content, { mode: 0o600, flag: "wx" });
  // Whatever the umask; and before it is somebody else's.
  chmodSync(path, mode);
  if (outer.uid !== process.getuid?.() || outer.gid !== process.getgid?.()) giveTo(data, path, { uid, gid }, map);
}

function fileMount(source: string, destination: string): PlacedMount {
  return {
    type: "bind",
    source,
    destination,
    readOnly: true,
    createSource: false,
    propagation: "rprivate",
    recursive: false,
    recursiveReadOnly: false,
    relabel: undefined,
    givesToUser: false,
    isOverlay: false,
    options: ["nosuid", "nodev"],
  };
}

/** @throws BunkerError `secret_not_text` */
function textOf(content: Buffer, name: string): string {
  const text = content.toString("utf8");
  if (!text.includes("\0") && Buffer.from(text, "utf8").equals(content)) return text;
  throw new BunkerError({
    code: "secret_not_text",
    operation: "put into the environment secret",
    object: name,
    reason: "a variable is text without NUL bytes, and this is none",
    hint: "Leave type=env out, and it becomes a file.",
  });
}
