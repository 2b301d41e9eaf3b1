/**
 * Puts off `build` until the result is first asked for, and keeps it. For what takes longer to make than to use, such as
 * valibot's schemas, in code that many commands load and few execute.
 */
export function lazily<T>(build: () => T): () => T {
  let built: T | undefined;
  return () => {
    built ??= build();
    return built;
  };
}
