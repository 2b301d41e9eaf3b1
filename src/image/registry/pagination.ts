import type { HttpResponse } from "./http/http-client.ts";

/**
 * Where the rest of a list is, by `Link: <URL>; rel="next"`; RFC 8288.
 * @returns undefined when that was all; on the same host, whatever the link says: registries behind a proxy may not know
 *   what they are called
 */
export function nextPage({ headers, url }: HttpResponse): URL | undefined {
  for (const [, target = "", parameters = ""] of (headers.get("link") ?? "").matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"next"|next\b)/i.test(parameters)) continue;
    const next = URL.parse(target, url.href);
    if (next === null) return undefined;
    const here = new URL(url);
    here.pathname = next.pathname;
    here.search = next.search;
    // A link to where it stands would be followed for ever.
    return here.href === url.href ? undefined : here;
  }
  return undefined;
}
