import type { StateDatabase } from "../../state/state-database.ts";
import type { Digest } from "../digest.ts";

/**
 * Takes names from an image, as part of a change of its store.
 * @param manifest the image's
 * @param names full: with a tag, or with the digest by which a registry knows it
 */
export function deleteNames(state: StateDatabase, manifest: Digest, names: readonly string[]): void {
  for (const name of names) {
    const at = name.indexOf("@");
    if (at < 0) state.run("DELETE FROM name WHERE reference = ? AND image = ?", name, manifest);
    else {
      const values = [name.slice(0, at), name.slice(at + 1), manifest];
      state.run("DELETE FROM repository_digest WHERE repository = ? AND digest = ? AND image = ?", ...values);
    }
  }
}
