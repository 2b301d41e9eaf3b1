/** What COPY, ADD and mounts of RUN take files from. */
export type FileSource =
  | {
      /** A directory that belongs to the caller: a build context, a git checkout, downloaded files. */
      readonly kind: "directory";
      /** Absolute. */
      readonly path: string;
      /** What is not in it, as patterns of .dockerignore. */
      readonly ignored: readonly string[];
      /** What its files are the same by, such as a commit; undefined when only their content says it. */
      readonly identity?: string | undefined;
    }
  | {
      /** The root file system of a stage or an image. */
      readonly kind: "layers";
      /** Directories of its unpacked layers, the uppermost first. */
      readonly layers: readonly string[];
    }
  | {
      /** Files that stand in the Dockerfile. */
      readonly kind: "texts";
      readonly files: readonly { readonly name: string; readonly content: string }[];
    };

/** Files of one source. */
export interface FileSelection {
  readonly source: FileSource;
  /** As an instruction has them, variables replaced: relative to the source's root, with wildcards. All files of `texts`. */
  readonly paths: readonly string[];
  /** Patterns of `--exclude`. */
  readonly excluded: readonly string[];
  /** Whether a file keeps the directories above it: `--parents`. */
  readonly keepsParents: boolean;
}
