import { type PolicySubject, pullByPolicy } from "../../engine/images/pull-policy.ts";
import type { PullPolicy, PullRequest } from "../../engine/images/pull-request.ts";
import { type Digest, digestOf } from "../../image/digest.ts";
import { parseDocument } from "../../image/documents.ts";
import { formatPlatform, hostPlatform, type Platform } from "../../image/platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../../image/reference.ts";
import { needRoot } from "../hand-over.ts";
import type { BaseImage } from "../layers/base-image.ts";
import { Vertex } from "../progress.ts";
import type { ImageSource } from "../sources.ts";
import type { BuildSession } from "./session.ts";

/** Which image. */
export interface ImageRequest {
  readonly source: ImageSource;
  readonly platform: Platform;
  readonly pull: PullPolicy;
}

/** An id in its short form, or longer. */
const SHOWN_ID = /^[0-9a-f]{12,64}$/;

/**
 * Finds an image, and pulls it where it is not here; one of a layout comes into the store without a name.
 * @throws BunkerError as `executePull`, `openLayoutImage` and `ImageStore.find`; HandOver
 */
export async function resolveImage(
  session: BuildSession,
  { source, platform, pull: policy }: ImageRequest,
): Promise<BaseImage> {
  const { observer, signal } = session;
  const { name } = source;
  if (source.kind === "layout") {
    const vertex = new Vertex(observer, `[internal] load metadata for ${name}`);
    return vertex.during(signal, async () => {
      needRoot(session);
      const id = await copyFromLayout(session, source, platform);
      return openBase(session, id, platform, name);
    });
  }
  const isId = /^sha256:[0-9a-f]+$/.test(name);
  const fullName = isId ? name : formatReference(withDefaultTag(parseReference(name)));
  // Elsewhere the first digits of an id are enough, but `FROM b` must not depend on which images are here.
  const soughtName = SHOWN_ID.test(name) ? name : fullName;
  const vertex = new Vertex(observer, `[internal] load metadata for ${fullName}`);
  return vertex.during(signal, async () => {
    const subject: PolicySubject = {
      name,
      isHere: () => session.store.findIfThere(soughtName, platform) !== undefined,
      pull: () => pull(session, name, platform, vertex),
    };
    if (!isId) await pullByPolicy(policy, subject, (message) => observer.warn(message));
    return openBase(session, soughtName, platform, fullName);
  });
}

async function pull(session: BuildSession, name: string, platform: Platform, vertex: Vertex): Promise<void> {
  needRoot(session);
  const { data, ownership, observer, signal, registrySettings: settings } = session;
  const { executePull } = await import("../../engine/images/pull.ts");
  const told = new Set<string>();
  const request: PullRequest = {
    ...{ name, allTags: false, platform: formatPlatform(platform) },
    output: "none",
    stream: "stderr",
    ...{ settings, data, store: ownership.store, mapping: ownership.mapping },
  };
  await executePull(
    request,
    {
      begin: () => undefined,
      layers: () => undefined,
      event: ({ kind, digest }) => {
        if (kind !== "unpacked" || told.has(digest)) return;
        told.add(digest);
        vertex.status(digest, `pull ${digest}`, true);
      },
      end: () => undefined,
      warn: (message) => observer.warn(message),
    },
    signal,
  );
}

/** Returns the id of the image. */
async function copyFromLayout(
  { store, signal }: BuildSession,
  { name, layout }: Extract<ImageSource, { readonly kind: "layout" }>,
  platform: Platform,
): Promise<Digest> {
  const [{ openLayoutImage }, { StoreWriter }, { copyImage }] = await Promise.all([
    import("../context/open-layout-image.ts"),
    import("../../image/store/store-writer.ts"),
    import("../../image/transport/copy-image.ts"),
  ]);
  await using reader = openLayoutImage(layout, platform, name);
  await using writer = new StoreWriter(store, name, { names: [], repositories: [] });
  const { root } = await copyImage(reader, writer, { images: [platform], signal, onProgress: () => undefined });
  return parseDocument("manifest", root.bytes, `manifest ${root.digest} of ${name}`).config.digest;
}

/** @param shown as the Dockerfile has it, in full */
function openBase({ store, blobs }: BuildSession, name: string, platform: Platform, shown: string): BaseImage {
  // Until its blobs are open. They are needed at the end, whoever has removed the image by then.
  using _ = store.rely();
  const stored = store.find(name, platform);
  const image = blobs.image(stored, name);
  const repositoryDigest = stored.repositoryDigests.find((each) => shown.startsWith(each.split("@")[0] ?? each));
  const digest = repositoryDigest?.split("@")[1];
  return {
    image,
    stored,
    document: store.readDocument(stored.id),
    shownName: digest === undefined || shown.includes("@") ? shown : `${shown}@${digest}`,
    key: digestOf(Buffer.from(`image ${image.layers.at(-1)?.chainId ?? "scratch"}`)),
  };
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
