import type { LayoutReference } from "./context/layout-reference.ts";
import type { UrlSource } from "./context/open-url.ts";
import type { FileSource } from "./files/file-source.ts";
import type { RunSecrets } from "./graph/run-step.ts";

/** Where an image is. */
export type ImageSource =
  | {
      /** In the store, or in a registry. */
      readonly kind: "image";
      /** As FROM has it. */
      readonly name: string;
    }
  | {
      readonly kind: "layout";
      /** For people: `oci-layout://DIRECTORY:TAG`. */
      readonly name: string;
      readonly layout: LayoutReference;
    };

/** What a name of `--build-context` stands for. */
export type NamedSource = ImageSource | { readonly kind: "files"; readonly open: () => Promise<FileSource> };

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
