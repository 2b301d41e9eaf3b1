/*
 * How Bunker's modules are bundled.
 *
 * With code splitting a command is loaded when it is called. The bundler decides which modules share a chunk by the entry
 * points that reach them, and has no setting for it; so the entry points are made to reach more. In the place of a module
 * that is imported dynamically comes an entry of its own (`run.ts.entry`): it imports all modules of all groups of which
 * the module needs one (share-chunks.ts), and exports what the module does. Then the same entries reach all modules of a
 * group, and the bundler makes a chunk of them. Modules are named in the order in which they would be evaluated anyway.
 *
 * Some commands have an edition of all the code (editions.ts). The bundler takes a module with another path for another
 * module; so within an edition every path has the edition's tag behind, and what is read is the file without it. The
 * executable begins with a module that is made here: it loads src/main.ts in the edition of the command that was called.
 *
 * Groups and editions come from a first bundle, made for what is told of it.
 */
import { dirname, relative, resolve } from "node:path";
import { commonPrograms, type Edition, isOutside, makeEditions } from "./editions.ts";
import { loadedWith, type ModuleGraph, readModuleGraph } from "./module-graph.ts";
import { MAIN, otherCommands, PROGRAMS } from "./programs.ts";
import { type Groups, shareChunks } from "./share-chunks.ts";

const PACKAGES = "node_modules/";
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
    // The second is what a thread begins with.
    entrypoints: [`${root}/${MAIN}`, `${root}/src/image/layers/unpack-worker.ts`],
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
  const commonGroups = shareChunks(graph, [...commonPrograms(PROGRAMS), ...otherCommands(graph)]);
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
        // A package stays as it is: it may have a default export, which an entry does not pass on.
        const hasEntry = kind === "dynamic-import" && !meant.startsWith(PACKAGES);
        if (!hasEntry) return edition && { path: pathOf(meant, edition) };
        if (isOutside({ importer: module, imported: meant, edition }, editions)) return { path: `${main}${OUTSIDE}` };
        return { path: `${pathOf(meant, edition)}${ENTRY}` };
      });
      build.onLoad({ filter: /\.entry$/ }, ({ path }) => {
        const { module, edition } = read(path);
        return entryOf(graph, module, edition?.groups ?? commonGroups, (other) => pathOf(other, edition));
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

/** The module that stands for one that is imported dynamically, and brings the groups with it. */
function entryOf(graph: ModuleGraph, module: string, groups: Groups, pathOf: (module: string) => string) {
  const companions = loadedWith(graph, [module], (other) => groups.get(other) ?? []);
  const imports = companions
    .filter((other) => other !== module)
    .map((other) => `import ${JSON.stringify(pathOf(other))};`);
  return {
    loader: "ts",
    contents: [...imports, `export * from ${JSON.stringify(pathOf(module))};`].join("\n"),
  } as const;
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
