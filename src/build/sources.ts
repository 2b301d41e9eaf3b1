import type { UrlSource } from "./context/open-url.ts";
import type { FileSource } from "./files/file-source.ts";
import type { RunSecrets } from "./graph/run-step.ts";

/** What a name of `--build-context` stands for. */
export type NamedSource =
  | {
      readonly kind: "image";
      /** As FROM would have it. */
      readonly name: string;
    }
  | { readonly kind: "files"; readonly open: () => Promise<FileSource> };

/** Everything that a build takes from outside. */
export interface BuildSources {
  /** The files of the build context. */
  readonly context: () => Promise<FileSource>;
  /** @returns undefined when no context has this name */
  named(name: string): NamedSource | undefined;
  /** What ADD takes from elsewhere. */
  url(source: UrlSource): Promise<FileSource>;
  readonly secrets: RunSecrets;
}
