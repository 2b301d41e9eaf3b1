import type { Change } from "../image/layers/list-changes.ts";
import { decodeText } from "../sys/byte-string.ts";
import { single } from "./option.ts";
import { print } from "./print.ts";
import { oneOf } from "./values/choice.ts";

const LETTERS = { added: "A", changed: "C", deleted: "D" } as const;

/** The option for how changes are shown. */
export const changesFormat = single({
  name: "format",
  valueName: "FORMAT",
  description: "json shows the paths by what became of them",
  parse: oneOf("json"),
});

/** Prints what became of files: a letter and a path on each line, as `docker diff`, or JSON, as Podman. */
export function printChanges(changes: readonly Pick<Change, "kind" | "path">[], format: "json" | undefined): void {
  if (format === "json") print(JSON.stringify(byKind(changes)));
  else if (changes.length > 0) print(changes.map(({ kind, path }) => `${LETTERS[kind]} ${showPath(path)}`).join("\n"));
}

function byKind(changes: readonly Pick<Change, "kind" | "path">[]) {
  const paths = (kind: Change["kind"]) =>
    changes.filter((change) => change.kind === kind).map(({ path }) => decodeText(path));
  return { added: paths("added"), changed: paths("changed"), deleted: paths("deleted") };
}

/** A path on one line, whatever is in it. */
function showPath(path: Change["path"]): string {
  return decodeText(path).replace(/\p{Cc}/gu, "?");
}
