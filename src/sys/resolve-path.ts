import { nodePath } from "./node-modules.ts";

/**
 * A path as `resolve` of node:path gives it, which is only loaded for one that is another then.
 * @param base where a relative path begins; the working directory unless given
 */
export function resolvePath(path: string, base?: string): string {
  if (path === "/" || isResolved(path)) return path;
  return base === undefined ? nodePath().resolve(path) : nodePath().resolve(base, path);
}

/** Whether a path is absolute and has no empty parts, `.` and `..`. */
function isResolved(path: string): boolean {
  if (!path.startsWith("/")) return false;
  const closed = `${path}/`;
  return !closed.includes("//") && !closed.includes("/./") && !closed.includes("/../");
}
