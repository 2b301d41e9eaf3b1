import type { ImageSource } from "../../image/image-source.ts";
import { BunkerError } from "../../sys/error.ts";

/**
 * Reads the operand of `run --rootfs`: a directory, with `:O` behind it for a writable view that leaves it unchanged.
 * @throws BunkerError invalid_rootfs
 */
export function parseRootfs(text: string): ImageSource {
  const overlay = text.endsWith(":O");
  const path = overlay ? text.slice(0, -":O".length) : text;
  if (path === "") throw new BunkerError({ code: "invalid_rootfs", operation: "--rootfs needs a directory" });
  return { kind: "rootfs", path, overlay };
}
