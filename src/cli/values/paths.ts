import { resolvePath } from "../../sys/resolve-path.ts";
import { InvalidValue } from "../invalid-value.ts";

/** Whether a source is a path of the host: absolute, or beginning with `./` or `../`. Others are names of volumes. */
export function isHostPath(text: string): boolean {
  return text.startsWith("/") || /^\.\.?(\/|$)/.test(text);
}

/**
 * Reads a path of the host, which is absolute or begins with `./` or `../` (or is `.` or `..`).
 * @returns the absolute path
 * @throws InvalidValue
 */
export function parseHostPath(text: string): string {
  if (isHostPath(text)) return resolvePath(text);
  if (text === "") throw new InvalidValue("the source is empty");
  throw new InvalidValue("a path of the host begins with / or ./");
}

/**
 * Reads the place of a mount in the container: an absolute path other than `/`.
 * @returns the path without superfluous slashes and dots
 * @throws InvalidValue
 */
export function parseMountPoint(text: string): string {
  const path = parseContainerPath(text);
  if (path === "/") throw new InvalidValue("the destination cannot be /");
  return path;
}

/**
 * Reads an absolute path in the container.
 * @throws InvalidValue
 */
export function parseContainerPath(text: string): string {
  if (!text.startsWith("/")) throw new InvalidValue("the path in the container must be absolute");
  return resolvePath(text);
}
