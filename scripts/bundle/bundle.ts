/*
 * How Bunker's modules are bundled.
 *
 * With code splitting a command is loaded when it is called. The bundler decides which modules share a chunk by the entry
 * points that reach them, and has no setting for it; so the entry points are made to reach more. In the place of a module
 * that is imported dynamically comes an entry (`run.ts.entry`): it imports all modules of all groups of which the module
 * needs one (share-chunks.ts), and exports what the module does, and what others of its group do for which the entry
 * stands as well. Then the same entries reach all modules of a group, and the bundler makes a chunk of them. Modules are
 * named in the order in which they would be evaluated anyway.
 *
 * Some commands have an edition of all the code (editions.ts). The bundler takes a module with another path for another
 * module; so within an edition every path has the edition's tag behind, and what is read is the file without it. The
 * executable begins with a module that is made here: it loads src/main.ts in the edition of the command that was called.
 *
 * Groups and editions come from a first bundle, made for what is told of it.
 */
import { dirname, relative, resolve } from "node:path";
import { commonGroups, type Edition, isOutside, makeEditions } from "./editions.ts";
import { isOfPackage, loadedWith, type ModuleGraph, readModuleGraph } from "./module-graph.ts";
import { MAIN, PROGRAMS, THREAD } from "./programs.ts";
import { type Groups, shareEntries } from "./share-chunks.ts";

const ENTRY = ".entry";
/** Behind the path of src/main.ts it is the module that the executable begins with, and behind another its own copy. */
const CHOICE = ".choice";
/** Behind the path of src/main.ts: in the place of what is in no edition. */
const OUTSIDE = ".outside";

/**
 * The settings of Bun.build for the product, but those of the executable.
 * @param root the source tree's directory
 */
export async function bundleSettings(root: string): Promise<Bun.BuildConfig> {
  const settings = {
    entrypoints: [MAIN, THREAD].map((module) => `${root}/${module}`),
    root,
    target: "bun",
    format: "esm",
    splitting: true,
    minify: true,
  } as const satisfies Bun.BuildConfig;
  const { metafile } = await Bun.build({ ...settings, metafile: true });
  if (metafile === undefined) throw new Error("the bundler has not said what is where");
  return { ...settings, plugins: [sharedChunks(root, readModuleGraph(metafile))] };
}

function sharedChunks(root: string, graph: ModuleGraph): Bun.BunPlugin {
  const editions = makeEditions(graph, PROGRAMS);
  const common = withEntries(graph, commonGroups(graph, PROGRAMS, editions));
  const ofEdition = new Map(editions.map((edition) => [edition, withEntries(graph, edition.groups)]));
  const chunksOf = (edition: Edition | undefined) => (edition && ofEdition.get(edition)) ?? common;
  const main = `${root}/${MAIN}`;

  /** Takes a path apart, of a module or of its entry. */
  const read = (path: string) => {
    const withoutEntry = path.endsWith(ENTRY) ? path.slice(0, -ENTRY.length) : path;
    const edition = editions.find(({ tag }) => withoutEntry.endsWith(`.${tag}`));
    const file = edition === undefined ? withoutEntry : withoutEntry.slice(0, -edition.tag.length - 1);
    return { file, module: relative(root, file), edition };
  };
  const pathOf = (module: string, edition: Edition | undefined) => {
    return resolve(root, edition === undefined ? module : `${module}.${edition.tag}`);
  };

  return {
    name: "shared chunks",
    setup(build) {
      build.onResolve({ filter: /./ }, ({ kind, path, importer }) => {
        if (path === main && importer === "") return { path: `${main}${CHOICE}` };
        // What is made here names others by their whole paths.
        if (importer.endsWith(ENTRY) || importer.endsWith(CHOICE)) return { path };
        const { module, edition } = read(importer);
        const meant = graph.get(module)?.meant.get(path);
        if (meant === undefined) return undefined;
        if (kind !== "dynamic-import" || isOfPackage(meant)) return edition && { path: pathOf(meant, edition) };
        if (isOutside({ importer: module, imported: meant, edition }, editions)) return { path: `${main}${OUTSIDE}` };
        const [first = meant] = chunksOf(edition).entries.get(meant) ?? [];
        return { path: `${pathOf(first, edition)}${ENTRY}` };
      });
      build.onLoad({ filter: /\.entry$/ }, ({ path }) => {
        const { module, edition } = read(path);
        const { groups, entries } = chunksOf(edition);
        return entryOf(graph, entries.get(module) ?? [module], groups, (other) => pathOf(other, edition));
      });
      for (const { tag } of editions) {
        build.onLoad({ filter: new RegExp(`\\.${tag}$`) }, async ({ path }) => {
          const { file } = read(path);
          return { loader: file.endsWith(".ts") ? "ts" : "js", contents: await Bun.file(file).text() };
        });
      }
      build.onLoad({ filter: /\.choice$/ }, async ({ path }) => {
        if (path === `${main}${CHOICE}`) return choiceOf(main, editions);
        return { loader: "ts", contents: await Bun.file(path.slice(0, -CHOICE.length)).text() };
      });
      build.onLoad({ filter: /\.outside$/ }, () => {
        return { loader: "ts", contents: 'throw new Error("this is no part of the command\'s edition");' };
      });
    },
  };
}

function withEntries(graph: ModuleGraph, groups: Groups) {
  return { groups, entries: shareEntries(graph, groups) };
}

/** The module that stands for some that are imported dynamically, and brings the groups with it. */
function entryOf(graph: ModuleGraph, modules: readonly string[], groups: Groups, pathOf: (module: string) => string) {
  const imports = loadedWith(graph, modules, (other) => groups.get(other) ?? [])
    .filter((other) => !modules.includes(other))
    .map((other) => `import ${JSON.stringify(pathOf(other))};`);
  const exports = modules.map((module) => `export * from ${JSON.stringify(pathOf(module))};`);
  return { loader: "ts", contents: [...imports, ...exports].join("\n") } as const;
}

/** The module that loads src/main.ts, in the edition of the command that was called. */
function choiceOf(main: string, editions: readonly Edition[]) {
  const cases = editions.map(({ command, tag }) => {
    return `case ${JSON.stringify(command)}: import(${JSON.stringify(`${main}.${tag}${ENTRY}`)}); break;`;
  });
  const contents = `
    import { readCommandLine } from ${JSON.stringify(`${dirname(main)}/command-line.ts${CHOICE}`)};
    const { program, words } = readCommandLine();
    switch (\`\${program} \${words[0]}\`) {
      ${cases.join("\n")}
      default: import(${JSON.stringify(`${main}${ENTRY}`)});
    }`;
  return { loader: "ts", contents } as const;
}
