import * as v from "valibot";
import { invalidDocument, MAXIMUM_DOCUMENT_SIZE } from "../documents.ts";
import type { RegistryClient } from "./registry-client.ts";

const result = v.object({
  name: v.string(),
  // Anybody may have written it, for terminals too.
  description: v.pipe(
    v.nullish(v.string(), ""),
    v.transform((text) => text.replace(/[\s\p{Cc}]+/gu, " ").trim()),
  ),
  star_count: v.nullish(v.number(), 0),
  is_official: v.nullish(v.boolean(), false),
  is_automated: v.nullish(v.boolean(), false),
});

/** A repository that Docker Hub has found. */
export type HubRepository = v.InferOutput<typeof result>;

const answer = v.pipe(v.string(), v.parseJson(), v.object({ results: v.nullish(v.array(result), []) }));

/** Where Docker Hub's search has always been; `docker search` asks there. */
const HUB_SEARCH = "https://index.docker.io/v1/search";

/**
 * Searches Docker Hub.
 * @param client for docker.io
 * @param limit repositories at most
 * @throws BunkerError `image_invalid` for an answer in another form, and what `RegistryClient` can meet
 */
export async function searchHub(
  client: RegistryClient,
  term: string,
  limit: number,
  signal: AbortSignal,
): Promise<readonly HubRepository[]> {
  const url = new URL(HUB_SEARCH);
  url.searchParams.set("q", term);
  url.searchParams.set("n", String(limit));
  const { bytes } = await client.read(
    {
      method: "GET",
      target: url,
      scopes: [],
      expected: [200],
      operation: "search for",
      object: term,
      signal,
    },
    MAXIMUM_DOCUMENT_SIZE,
  );
  if (bytes === undefined) throw invalidDocument("Docker Hub's answer", "it has more than 4 MiB");
  const parsed = v.safeParse(answer, bytes.toString("utf8"));
  if (!parsed.success) throw invalidDocument("Docker Hub's answer", parsed.issues[0].message);
  return parsed.output.results.slice(0, limit);
}
