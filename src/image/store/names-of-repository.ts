import { fullRepository, parseReference, type Reference } from "../reference.ts";
import type { ImageStore } from "./image-store.ts";

/** The full names, with tags, that images have in a repository, sorted. */
export function namesOfRepository(store: ImageStore, repository: Reference): string[] {
  const wanted = fullRepository(repository);
  const names = [...store.list().flatMap((image) => image.names), ...store.lists().map(({ name }) => name)];
  return [...new Set(names)].filter((name) => fullRepository(parseReference(name)) === wanted).sort();
}
