import { basename } from "node:path";
import { MNT_DETACH, unmount } from "../sys/mount.ts";
import { removeTree } from "../sys/remove-tree.ts";
import type { BuildOptions } from "./build-options.ts";
import { gitAuthorization } from "./context/git-authorization.ts";
import { parseLayoutReference } from "./context/layout-reference.ts";
import { type OpenContext, openContext, openNamedContext } from "./context/open-context.ts";
import { openUrl } from "./context/open-url.ts";
import type { FileSource } from "./files/file-source.ts";
import type { BuildSession } from "./graph/session.ts";
import { needRoot } from "./hand-over.ts";
import { readSecret } from "./secrets/secret-source.ts";
import type { BuildSources, NamedSource } from "./sources.ts";

/** What a build takes from outside, and where it finds the Dockerfile. */
export interface OpenSources extends BuildSources, AsyncDisposable {
  /** For people, before it is opened. */
  readonly dockerfileName: string;
  /** @throws BunkerError as `openContext` */
  readDockerfile(): Promise<OpenContext["dockerfile"]>;
}

/** Opens what a build takes from outside; nothing is read before it is asked for. */
export function openSources(session: BuildSession, options: BuildOptions): OpenSources {
  const { cache, observer, signal } = session;
  const cleanup = new DisposableStack();
  const makeStaging = () => {
    // What has to be made a directory first takes its time.
    needRoot(session);
    return cleanup.adopt(cache.makeStaging(), removeTree);
  };
  const secret = (id: string) => {
    const source = options.secrets.find((each) => each.id === id);
    return source && readSecret(source, process.env);
  };
  const opening = {
    makeStaging,
    keepsGitDirectory: session.arguments.keepsGitDirectory,
    gitAuthorization: (host: string) => gitAuthorization(host, secret),
    warn: (message: string) => observer.warn(message),
    signal,
  };
  const { context, dockerfile, ignoreFile } = options;
  let opened: Promise<OpenContext> | undefined;
  const open = () => {
    opened ??= openContext({ ...opening, context, dockerfile, ignoreFile });
    return opened;
  };
  const named = new Map<string, Promise<FileSource>>();
  let memory: Promise<string> | undefined;
  return {
    dockerfileName: dockerfile === undefined || dockerfile === "-" ? "Dockerfile" : basename(dockerfile),
    readDockerfile: async () => (await open()).dockerfile,
    context: async () => (await open()).files,
    named: (name) => {
      const value = options.buildContexts.get(name);
      return value === undefined
        ? undefined
        : namedSource(value, () => {
            const known = named.get(name) ?? openNamedContext({ ...opening, context: value });
            named.set(name, known);
            return known;
          });
    },
    url: (request) => openUrl(request, opening),
    secrets: {
      secret,
      agent: (id, path) => {
        const source = options.agents.find((each) => each.id === id);
        if (source === undefined) return undefined;
        return import("./secrets/agent-source.ts").then(({ openAgent }) => openAgent(source, process.env, path));
      },
      memory: () => {
        memory ??= import("../mount/mount-here.ts").then(({ mountMemoryHere }) => {
          const path = cache.makeStaging();
          mountMemoryHere(path);
          cleanup.defer(() => {
            unmount(path, MNT_DETACH);
            removeTree(path);
          });
          return path;
        });
        return memory;
      },
    },
    [Symbol.asyncDispose]: async () => cleanup.dispose(),
  };
}

function namedSource(value: string, open: () => Promise<FileSource>): NamedSource {
  const image = /^docker-image:\/\/(.+)$/.exec(value)?.[1];
  if (image !== undefined) return { kind: "image", name: image };
  const layout = parseLayoutReference(value);
  return layout === undefined ? { kind: "files", open } : { kind: "layout", name: value, layout };
}
