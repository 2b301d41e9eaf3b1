import type { ServerResponse } from "node:http";
import { ApiError } from "./api-error.ts";
import type { RegistryContents } from "./registry-contents.ts";

/**
 * The tags of a repository, a page of them with `n` and `last`; distribution specification, "Listing tags".
 * @throws ApiError `NAME_UNKNOWN`
 */
export function sendTags(contents: RegistryContents, repository: string, url: URL, response: ServerResponse): object {
  const manifests = contents.manifests().filter((manifest) => manifest.repository === repository);
  if (manifests.length === 0) throw new ApiError("NAME_UNKNOWN", "there is no such repository");
  const tags = manifests.flatMap(({ tag }) => tag ?? []);
  return { name: repository, tags: page(tags, url, response) };
}

/** The repositories. */
export function sendCatalog(contents: RegistryContents, url: URL, response: ServerResponse): object {
  return {
    repositories: page(
      contents.manifests().map(({ repository }) => repository),
      url,
      response,
    ),
  };
}

/** Names in the order of their bytes, each once; a Link leads to those that are left. */
function page(names: readonly string[], url: URL, response: ServerResponse): readonly string[] {
  const last = url.searchParams.get("last") ?? "";
  const count = url.searchParams.get("n");
  const limit = count !== null && /^\d+$/.test(count) ? Number(count) : Number.POSITIVE_INFINITY;
  const left = [...new Set(names)].sort().filter((name) => name > last);
  const shown = left.slice(0, limit);
  const end = shown.at(-1);
  if (end !== undefined && shown.length < left.length) {
    const query = new URLSearchParams({ n: String(limit), last: end });
    response.setHeader("link", `<${url.pathname}?${query}>; rel="next"`);
  }
  return shown;
}
