/*
 * How Bunker's modules are bundled.
 *
 * With code splitting a command is loaded when it is called. The bundler decides which modules share a chunk by the entry
 * points that reach them, and has no setting for it; so the entry points are made to reach more. In the place of a module
 * that is imported dynamically comes an entry of its own (`run.ts.entry`): it imports all modules of all groups of which
 * the module needs one (share-chunks.ts), and exports what the module does. Then the same entries reach all modules of a
 * group, and the bundler makes a chunk of them. Modules are named in the order in which they would be evaluated anyway.
 *
 * The groups come from a first bundle, made for what is told of it.
 */
import { dirname, relative } from "node:path";
import { loadedWith, readModuleGraph } from "./module-graph.ts";
import { otherCommands, PROGRAMS } from "./programs.ts";
import { shareChunks } from "./share-chunks.ts";

const ENTRY = ".entry";

/**
 * The settings of Bun.build for the product, but those of the executable.
 * @param root the source tree's directory
 */
export async function bundleSettings(root: string): Promise<Bun.BuildConfig> {
  const settings = {
    // The second is what a thread begins with.
    entrypoints: [`${root}/src/main.ts`, `${root}/src/image/layers/unpack-worker.ts`],
    root,
    target: "bun",
    format: "esm",
    splitting: true,
    minify: true,
  } as const satisfies Bun.BuildConfig;
  const { metafile } = await Bun.build({ ...settings, metafile: true });
  if (metafile === undefined) throw new Error("the bundler has not said what is where");
  return { ...settings, plugins: [sharedChunks(root, metafile)] };
}

function sharedChunks(root: string, metafile: Bun.BuildMetafile): Bun.BunPlugin {
  const graph = readModuleGraph(metafile);
  const groups = shareChunks(graph, [...PROGRAMS, ...otherCommands(graph)]);
  return {
    name: "shared chunks",
    setup(build) {
      build.onResolve({ filter: /^\.\.?\// }, ({ kind, path, importer }) =>
        kind === "dynamic-import" ? { path: `${Bun.resolveSync(path, dirname(importer))}${ENTRY}` } : undefined,
      );
      build.onLoad({ filter: /\.entry$/ }, ({ path: entry }) => {
        const path = entry.slice(0, -ENTRY.length);
        const module = relative(root, path);
        const companions = loadedWith(graph, [module], (other) => groups.get(other) ?? []);
        const imports = companions
          .filter((other) => other !== module)
          .map((other) => `import ${JSON.stringify(`${root}/${other}`)};`);
        return { loader: "ts", contents: [...imports, `export * from ${JSON.stringify(path)};`].join("\n") };
      });
    },
  };
}
