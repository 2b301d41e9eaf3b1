/** A part of a process's memory. */
export interface Mapping {
  /** As in `r-xp`. */
  readonly permissions: string;
  /** Of the file that is mapped; empty for memory of no file. */
  readonly path: string;
}

/** The mappings that were advised to use large pages, by a smaps of proc(5); madvise(2), MADV_HUGEPAGE. */
export function advisedMappings(smaps: string): readonly Mapping[] {
  return smaps
    .split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
    .filter((mapping) => /^VmFlags:.* hg( |$)/m.test(mapping))
    .map((mapping) => {
      const [, permissions = "", path = ""] = /^\S+ (\S+) \S+ \S+ \S+ *(.*)/.exec(mapping) ?? [];
      return { permissions, path };
    });
}
