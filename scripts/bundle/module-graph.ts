/** Which module imports which, of everything that the executable is built from. */

const SLOW_MODULES = /^(?:node:)?(?:fs(?:\/promises)?|path|os)$/;
/** Loading `node:fs` takes two milliseconds, as 100 KB of code do. */
const SLOW_MODULE_SIZE = 100_000;

/** A module by what it brings into the bundle. */
interface Module {
  /** Bytes in the bundle, as minified text; with what of Node's own takes as long to load. */
  readonly size: number;
  /** What is loaded with it, in the order of its imports. */
  readonly imports: readonly string[];
  /** What it may load later. */
  readonly dynamicImports: readonly string[];
  /** Of each import, as it is written, the module that it means; none of what is not bundled. */
  readonly meant: ReadonlyMap<string, string>;
  /** The names that it exports, as long as it is imported dynamically somewhere. */
  readonly exported: readonly string[];
}

/** By the modules' paths from the root, in their order. */
export type ModuleGraph = ReadonlyMap<string, Module>;

/** Reads a graph out of what Bun tells of a bundle. */
export function readModuleGraph({ inputs, outputs }: Bun.BuildMetafile): ModuleGraph {
  const sizes = new Map<string, number>();
  const exported = new Map<string, readonly string[]>();
  for (const output of Object.values(outputs)) {
    if (output.entryPoint !== undefined) exported.set(output.entryPoint, output.exports);
    for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
      sizes.set(path, (sizes.get(path) ?? 0) + bytesInOutput);
    }
  }
  const modules = Object.entries(inputs).map(([path, { imports }]): readonly [string, Module] => {
    // Of what is imported dynamically the path is the chunk's that it is in.
    const targets = imports
      .map((imported) => ({
        isDynamic: imported.kind === "dynamic-import",
        written: "original" in imported ? String(imported.original) : imported.path,
        target: "entryPoint" in imported ? String(imported.entryPoint) : imported.path,
      }))
      .filter(({ target }) => target in inputs);
    return [
      path,
      {
        size: (sizes.get(path) ?? 0) + (imports.some((other) => SLOW_MODULES.test(other.path)) ? SLOW_MODULE_SIZE : 0),
        imports: targets.filter(({ isDynamic }) => !isDynamic).map(({ target }) => target),
        dynamicImports: targets.filter(({ isDynamic }) => isDynamic).map(({ target }) => target),
        meant: new Map(targets.map(({ written, target }) => [written, target])),
        exported: exported.get(path) ?? [],
      },
    ];
  });
  return new Map(modules.sort(([first], [second]) => (first < second ? -1 : 1)));
}

/** Whether a module is of a package. */
export function isOfPackage(module: string): boolean {
  return module.startsWith("node_modules/");
}

/**
 * What is loaded with some modules, they among it: everything after what it imports itself, as it is evaluated.
 * @param companions what is loaded together with a module besides what it imports
 */
export function loadedWith(
  graph: ModuleGraph,
  modules: readonly string[],
  companions: (module: string) => readonly string[] = () => [],
): readonly string[] {
  const wanted = new Set<string>();
  const want = (module: string) => {
    if (wanted.has(module)) return;
    wanted.add(module);
    for (const other of [...(graph.get(module)?.imports ?? []), ...companions(module)]) want(other);
  };
  for (const module of modules) want(module);
  const met = new Set<string>();
  const inOrder: string[] = [];
  const evaluate = (module: string) => {
    if (met.has(module)) return;
    met.add(module);
    for (const imported of graph.get(module)?.imports ?? []) evaluate(imported);
    inOrder.push(module);
  };
  // In the graph's own order, which is the same for all.
  for (const module of graph.keys()) if (wanted.has(module)) evaluate(module);
  return inOrder;
}
