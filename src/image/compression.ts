/** How a layer or an archive is compressed. */
export type Compression = "gzip" | "zstd" | "xz" | "bzip2";

/** Bytes that `detectCompression` looks at. */
export const SIGNATURE_SIZE = 6;

/**
 * Tells from its first bytes how something is compressed: media types and the names of files are often wrong.
 * @param start at least the first `SIGNATURE_SIZE` bytes, or all there are
 * @returns undefined for what is not compressed, or not in a way that is known
 */
export function detectCompression(start: Buffer): Compression | undefined {
  const signature = start.toString("hex", 0, SIGNATURE_SIZE);
  // Its only method is deflate.
  if (signature.startsWith("1f8b08")) return "gzip";
  // A frame, or one of the sixteen kinds of frames to be skipped.
  if (signature.startsWith("28b52ffd") || /^5.2a4d18/.test(signature)) return "zstd";
  if (signature.startsWith("fd377a585a00")) return "xz";
  // The level, and the first block or the end: "BZh" alone may be the name of a file at the beginning of an archive.
  if (/^425a683[1-9](?:3141|1772)/.test(signature)) return "bzip2";
  return undefined;
}
