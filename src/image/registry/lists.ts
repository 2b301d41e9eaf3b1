/** What a registry has: the tags of a repository, the repositories; OCI distribution specification, "Listing tags". */
import * as v from "valibot";
import { invalidDocument } from "../documents.ts";
import { isDigest, isRepository, isTag } from "../reference.ts";
import { pullScope } from "./manifests.ts";
import { readPages } from "./pagination.ts";
import type { Repository } from "./registries.ts";
import type { ApiRequest, RegistryClient } from "./registry-client.ts";

/** Nexus writes null where it has nothing to say. */
const names = v.nullish(v.array(v.nullish(v.string(), "")), []);
const tag = v.pipe(
  v.string(),
  v.check(isTag, ({ input }) => `${JSON.stringify(input)} is no tag`),
);
const tagsPage = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ tags: names }),
  // Artifactory lists manifests without a tag by their digests.
  v.transform(({ tags }) => tags.filter((text) => text !== "" && !isDigest(text))),
  v.array(tag),
);
const catalogPage = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ repositories: names }),
  // What is no repository's name cannot be asked for, and need not keep the others from being found.
  v.transform(({ repositories }) => repositories.filter(isRepository)),
);

/** Docker's API for the catalogue of a registry. */
const CATALOG_SCOPE = "registry:catalog:*";

/**
 * Lists the tags of a repository, page by page.
 * @param name of the repository, for messages
 * @throws BunkerError `image_not_found`, `image_invalid`, and what `RegistryClient` can meet
 */
export function listTags({ client, path }: Repository, name: string, signal: AbortSignal): AsyncGenerator<string> {
  return listPages(client, tagsPage, signal, {
    target: `${path}/tags/list?n=1000`,
    scopes: [pullScope(path)],
    object: `the tags of ${name}`,
    missingHint: `Check the name, ${client.registry}/${path}`,
  });
}

/**
 * Lists the repositories of a registry, page by page.
 * @throws BunkerError `image_not_found` when the registry has no catalogue, and as `listTags`
 */
export function listRepositories(client: RegistryClient, signal: AbortSignal): AsyncGenerator<string> {
  return listPages(client, catalogPage, signal, {
    target: "_catalog?n=1000",
    scopes: [CATALOG_SCOPE],
    object: `the catalogue of ${client.registry}`,
    missingHint: `Not every registry has one; of a repository that you know, bunker search --list-tags shows the tags`,
  });
}

async function* listPages(
  client: RegistryClient,
  page: typeof tagsPage | typeof catalogPage,
  signal: AbortSignal,
  first: Required<Pick<ApiRequest, "target" | "scopes" | "missingHint">> & { readonly object: string },
): AsyncGenerator<string> {
  const what = first.object;
  const request = { ...first, method: "GET", expected: [200], operation: "list", signal };
  for await (const { bytes } of readPages(client, what, request)) {
    const result = v.safeParse(page, bytes.toString("utf8"));
    if (!result.success) throw invalidDocument(what, result.issues[0].message);
    yield* result.output;
  }
}
