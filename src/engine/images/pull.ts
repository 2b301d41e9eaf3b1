import type { Descriptor } from "../../image/documents.ts";
import { parsePlatform } from "../../image/platform.ts";
import {
  familiarReference,
  familiarRepository,
  formatReference,
  fullRepository,
  type Reference,
  withDefaultTag,
} from "../../image/reference.ts";
import { listTags } from "../../image/registry/lists.ts";
import { Registries } from "../../image/registry/registries.ts";
import { RegistryReader } from "../../image/registry/registry-reader.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { type PullEvent, type PulledImage, pullImage } from "../../image/store/pull-image.ts";
import type { RootNamespace } from "../../runtime/root-namespace.ts";
import { BunkerError } from "../../sys/error.ts";
import { recordImageEvent } from "../events/journal.ts";
import type { PullRequest } from "./pull-request.ts";

/** What an image that was pulled is called. */
interface PulledName {
  /** For people. */
  readonly familiar: string;
  /** For programs. */
  readonly full: string;
}

/** Who is told how it goes. */
export interface PullObserver {
  /** An image is about to be asked of a registry. */
  begin(reference: Reference): void;
  layers(layers: readonly Descriptor[]): void;
  event(event: PullEvent): void;
  end(name: PulledName, image: PulledImage): void;
  warn(message: string): void;
}

/**
 * Pulls what a request asks for.
 * @param root gives the user namespace whose root makes the files of layers; undefined for a caller who is that
 * @throws BunkerError as `pullImage`, `Registries` and `RegistryReader` do; the reason of `signal`
 */
export async function executePull(
  request: PullRequest,
  observer: PullObserver,
  signal: AbortSignal = new AbortController().signal,
  root?: () => RootNamespace,
): Promise<void> {
  const { name, allTags, data, place, settings } = request;
  if (place !== undefined) {
    if (allTags) throw tagsOfRegistries(name);
    const { pullLocal } = await import("./pull-local.ts");
    await pullLocal(place, request, observer, signal, root);
    return;
  }
  using registries = new Registries(settings, (message) => observer.warn(message));
  const candidates = registries.resolveName(name.replace(/^docker:\/\//, ""));
  using store = openImageStore(data);
  const pullOne = async (reference: Reference) => {
    const familiar = withDefaultTag(reference);
    await using reader = new RegistryReader(registries, familiar, signal);
    observer.begin(reference);
    const image = await pullImage(reader, store, {
      platform: request.platform === undefined ? undefined : parsePlatform(request.platform),
      // What is pulled by its digest gets no name; with both the digest decides, as in Docker.
      names: familiar.digest === undefined ? [formatReference(familiar)] : [],
      repositories: [fullRepository(familiar)],
      unpacking: { ...request, root },
      signal,
      onLayers: (layers) => observer.layers(layers),
      onEvent: (event) => observer.event(event),
      onWarning: (message) => observer.warn(message),
    });
    recordImageEvent(data, "pull", familiarReference(familiar), familiarRepository(familiar));
    observer.end({ familiar: familiarReference(familiar), full: formatReference(familiar) }, image);
  };
  if (!allTags) {
    await firstOf(name, candidates, pullOne, signal);
    return;
  }
  await firstOf(
    name,
    candidates,
    async (reference) => {
      if (reference.tag !== undefined || reference.digest !== undefined) {
        throw new BunkerError({
          code: "invalid_reference",
          operation: "tag can't be used with --all-tags/-a",
          hint: `Give ${familiarReference({ ...reference, tag: undefined, digest: undefined })} alone.`,
        });
      }
      const repository = registries.forPull(reference).at(-1);
      if (repository === undefined) throw new Error("a name stands for at least its own registry");
      for await (const tag of listTags(repository, fullRepository(reference), signal))
        await pullOne({ ...reference, tag });
    },
    signal,
  );
}

function tagsOfRegistries(name: string): BunkerError {
  return new BunkerError({
    code: "conflicting_options",
    operation: "pull",
    object: name,
    reason: "--all-tags is for repositories of registries",
    hint: "bunker load -i brings all images of an archive or an image layout.",
  });
}

/**
 * Tries the names that a short one may stand for, until a registry has it.
 * @param name as the user has written it
 * @throws BunkerError what `work` throws; where several have failed, one that tells all of it
 */
async function firstOf(
  name: string,
  candidates: readonly Reference[],
  work: (reference: Reference) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const failures: BunkerError[] = [];
  for (const reference of candidates) {
    try {
      await work(reference);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof BunkerError)) throw error;
      failures.push(error);
      if (!/^(?:image_not_found|registry_)/.test(error.code)) break;
    }
  }
  const last = failures.at(-1);
  if (last === undefined) throw new Error("a name stands for at least one reference");
  throw failures.length === 1 ? last : severalFailures(name, failures, last);
}

/** One failure of several: each has its line above the message, as Podman has it below. */
function severalFailures(name: string, failures: readonly BunkerError[], last: BunkerError): BunkerError {
  const isMissing = failures.every(({ code }) => code === "image_not_found");
  const registries = `the ${failures.length} registries that were searched`;
  return new BunkerError(
    {
      code: last.code,
      operation: "pull",
      object: name,
      reason: isMissing ? `none of ${registries} has it` : `it did not come from any of ${registries}`,
      hint: "Write the name with its registry in front to ask that one alone.",
      excerpt: failures.map(({ message }) => ` * ${message}`).join("\n"),
    },
    { cause: last },
  );
}
