import { invalidDocument, MAXIMUM_DOCUMENT_SIZE } from "../documents.ts";
import type { HttpResponse } from "./http/http-client.ts";
import type { ApiRequest, RegistryClient } from "./registry-client.ts";

/** A page of a list. */
export interface Page {
  readonly response: HttpResponse;
  readonly bytes: Buffer;
}

/**
 * Reads a list page by page.
 * @param what it is, for messages
 * @param request for the first page
 * @throws BunkerError `image_invalid` for a page that is too large, and what `RegistryClient` can meet
 */
export async function* readPages(
  client: RegistryClient,
  what: string,
  request: Omit<ApiRequest, "once">,
): AsyncGenerator<Page, void, undefined> {
  const seen = new Set<string>();
  let target: string | URL | undefined = request.target;
  while (target !== undefined) {
    const { response, bytes } = await client.read({ ...request, target }, MAXIMUM_DOCUMENT_SIZE);
    if (bytes === undefined) throw invalidDocument(what, "a page of it has more than 4 MiB");
    yield { response, bytes };
    // Links in a circle would be followed for ever.
    seen.add(response.url.href);
    const next = nextPage(response);
    target = next === undefined || seen.has(next.href) ? undefined : next;
  }
}

/**
 * Where the rest of a list is, by `Link: <URL>; rel="next"`; RFC 8288.
 * @returns undefined when that was all; on the same host, whatever the link says: registries behind a proxy may not know
 *   what they are called
 */
function nextPage({ headers, url }: HttpResponse): URL | undefined {
  for (const [, target = "", parameters = ""] of (headers.get("link") ?? "").matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"next"|next\b)/i.test(parameters)) continue;
    const next = URL.parse(target, url.href);
    if (next === null) return undefined;
    const here = new URL(url);
    here.pathname = next.pathname;
    here.search = next.search;
    return here;
  }
  return undefined;
}
