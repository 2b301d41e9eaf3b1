import type { JoinedNamespace } from "../../engine/specification/run-options.ts";
import { InvalidValue } from "../invalid-value.ts";
import { oneOf } from "./choice.ts";

/**
 * Reads a namespace that is there already: `container:NAME`, or Podman's `ns:PATH`.
 * @returns undefined for other words
 * @throws InvalidValue
 */
export function parseJoined(text: string): JoinedNamespace | undefined {
  const [, kind, name = ""] = /^(container|ns):(.*)$/.exec(text) ?? [];
  if (kind === "container") {
    if (name === "") throw new InvalidValue("container: is followed by a container's name or id");
    return { kind, container: name };
  }
  if (kind !== "ns") return undefined;
  if (!name.startsWith("/")) throw new InvalidValue("ns: is followed by an absolute path");
  return { kind: "path", path: name };
}

/**
 * Makes a parser for what a container has of a kind of namespace.
 * @param words what there is besides those that are there already
 * @returns a function that throws InvalidValue for anything else
 */
export function namespaceModeParser<const Word extends string>(
  ...words: readonly Word[]
): (text: string) => Word | JoinedNamespace {
  const parse = oneOf(...words);
  return (text) => {
    const joined = parseJoined(text);
    if (joined !== undefined) return joined;
    return parse(text);
  };
}
