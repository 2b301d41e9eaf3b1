import { type ByteString, decodeText } from "../../sys/byte-string.ts";
import { BunkerError } from "../../sys/error.ts";

/** An archive that is malformed, or asks for what it may not. */
export function archiveError(reason: string, entry?: ByteString): BunkerError {
  return new BunkerError({
    code: "archive_invalid",
    operation: "read the archive",
    object: entry === undefined ? undefined : showName(entry),
    reason,
  });
}

const SHOWN_LENGTH = 200;

/** A name for people: quoted, with control characters and what is not UTF-8 escaped, and cut when it is very long. */
export function showName(name: ByteString): string {
  const shown = name.length > SHOWN_LENGTH ? `${name.slice(0, SHOWN_LENGTH)}...` : name;
  const text = decodeText(shown as ByteString);
  if (!text.includes("\ufffd")) return JSON.stringify(text).replace(/[\u007f-\u009f\u200e-\u202e]/g, escapeUnit);
  return JSON.stringify(shown).replace(/[\u007f-\u00ff]/g, (unit) => `\\x${unit.charCodeAt(0).toString(16)}`);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
