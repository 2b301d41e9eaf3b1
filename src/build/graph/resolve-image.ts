import { executePull } from "../../engine/pull.ts";
import type { PullRequest } from "../../engine/pull-request.ts";
import { digestOf } from "../../image/digest.ts";
import { formatPlatform, hostPlatform, type Platform } from "../../image/platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../../image/reference.ts";
import type { BaseImage } from "../layers/base-image.ts";
import { Vertex } from "../progress.ts";
import type { BuildSession } from "./session.ts";

/** Which image. */
export interface ImageRequest {
  /** A name, or an id. */
  readonly name: string;
  readonly platform: Platform;
  /** Whether its registry is asked although it is here. */
  readonly pulls: boolean;
}

/** An id in its short form, or longer. */
const SHOWN_ID = /^[0-9a-f]{12,64}$/;

/**
 * Finds an image, and pulls it where it is not here.
 * @throws BunkerError as `executePull` and `ImageStore.find`
 */
export async function resolveImage(session: BuildSession, { name, platform, pulls }: ImageRequest): Promise<BaseImage> {
  const { store, observer, signal, data, ownership } = session;
  const isId = /^sha256:[0-9a-f]+$/.test(name);
  const fullName = isId ? name : formatReference(withDefaultTag(parseReference(name)));
  // Elsewhere the first digits of an id are enough, but `FROM b` must not depend on which images are here.
  const soughtName = SHOWN_ID.test(name) ? name : fullName;
  const vertex = new Vertex(observer, `[internal] load metadata for ${fullName}`);
  return vertex.during(signal, async () => {
    const isHere = store.findIfThere(soughtName, platform) !== undefined;
    if ((!isHere || pulls) && !isId) {
      const total = new Map<string, number>();
      const request: PullRequest = {
        ...{ name, allTags: false, platform: formatPlatform(platform) },
        output: "none",
        stream: "stderr",
        ...{ settings: {}, data, store: ownership.store, mapping: ownership.mapping },
      };
      await executePull(request, {
        begin: () => undefined,
        layers: () => undefined,
        event: ({ kind, digest }) => {
          if (kind === "bytes" || total.has(`${kind} ${digest}`)) return;
          total.set(`${kind} ${digest}`, 0);
          if (kind === "unpacked") vertex.status(digest, `pull ${digest}`, true);
        },
        end: () => undefined,
        warn: (message) => observer.warn(message),
      });
    }
    const stored = store.find(soughtName, platform);
    const image = store.open(stored, name);
    const repositoryDigest = stored.repositoryDigests.find((each) => fullName.startsWith(each.split("@")[0] ?? each));
    const digest = repositoryDigest?.split("@")[1];
    return {
      image,
      stored,
      document: store.readDocument(stored.id),
      shownName: digest === undefined || fullName.includes("@") ? fullName : `${fullName}@${digest}`,
      key: digestOf(Buffer.from(`image ${image.layers.at(-1)?.chainId ?? "scratch"}`)),
    };
  });
}

/** Whether commands of a platform can be run on this machine without help. */
export function isNative({ os, architecture }: Platform): boolean {
  const host = hostPlatform();
  return os === host.os && (architecture === host.architecture || isOlderSister(host.architecture, architecture));
}

/** 32-bit programs that 64-bit processors run. */
function isOlderSister(host: string, architecture: string): boolean {
  return (host === "amd64" && architecture === "386") || (host === "arm64" && architecture === "arm");
}
