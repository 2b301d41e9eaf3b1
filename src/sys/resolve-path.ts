import { nodePath } from "./node-modules.ts";

/** An absolute path without empty parts, `.` and `..`. */
const RESOLVED = /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/;

/**
 * A path as `resolve` of node:path gives it, which is only loaded for one that is another then.
 * @param base where a relative path begins; the working directory unless given
 */
export function resolvePath(path: string, base?: string): string {
  if (path === "/" || RESOLVED.test(path)) return path;
  return base === undefined ? nodePath().resolve(path) : nodePath().resolve(base, path);
}
