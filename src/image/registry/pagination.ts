import type { HttpResponse } from "./http/http-client.ts";

/**
 * Where the rest of a list is, by `Link: <URL>; rel="next"`; RFC 8288.
 * @returns undefined when that was all; never another host
 */
export function nextPage({ headers, url }: HttpResponse): URL | undefined {
  for (const [, target = "", parameters = ""] of (headers.get("link") ?? "").matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"next"|next\b)/i.test(parameters)) continue;
    const next = URL.parse(target, url.href);
    // A link to where it stands would be followed for ever.
    if (next === null || next.host !== url.host || next.href === url.href) return undefined;
    next.protocol = url.protocol;
    return next;
  }
  return undefined;
}
