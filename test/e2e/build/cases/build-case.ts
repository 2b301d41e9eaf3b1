/*
 * A small case of the Dockerfile language, as data. Bunker builds each as an ordinary user. Debian's buildah builds the
 * same file as root, and both images have to be the same; where buildah 1.28 lacks what the case is about, or does it
 * otherwise than BuildKit, the case says so, and has in it what must come out.
 */

/** Paths without a slash at the beginning lead to what is there, as `WrittenImage` has it; undefined: taken away. */
export type ExpectedFiles = Readonly<Record<string, string | undefined>>;

interface BuildInput {
  readonly name: string;
  /** Its lines. */
  readonly dockerfile: readonly string[];
  /** Options of `build` that both programs have. */
  readonly options?: readonly string[];
}

/** A case that both programs build. */
export interface ComparedCase extends BuildInput {
  /** Files whose times of modification have to be the same, too. */
  readonly times?: readonly string[];
}

/** A case that only Bunker builds. */
export interface ExpectedCase extends BuildInput {
  /** Why buildah 1.28 does not build it. */
  readonly why: string;
  /** All in which the image's files differ from those of busybox, or, without busybox, all files. */
  readonly files: ExpectedFiles;
  /** Members of the configuration. */
  readonly configuration?: Readonly<Record<string, unknown>>;
}
