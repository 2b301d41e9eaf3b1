import { readFileSync, statSync } from "node:fs";
import { basename, isAbsolute, join, resolve } from "node:path";
import { mountMemoryHere } from "../mount/mount-here.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { MNT_DETACH, unmount } from "../sys/mount.ts";
import { removeTree } from "../sys/remove-tree.ts";
import type { BuildOptions } from "./build-options.ts";
import { readIgnoreFile } from "./context/ignore-file.ts";
import type { FileSource } from "./files/file-source.ts";
import type { BuildSession } from "./graph/session.ts";
import { agentSocket, forwardAgent } from "./secrets/agent-forwarding.ts";
import { readSecret } from "./secrets/secret-source.ts";
import type { BuildSources, NamedSource } from "./sources.ts";

/** What a build takes from outside, and where it finds the Dockerfile. */
export interface OpenSources extends BuildSources, AsyncDisposable {
  /** For people. */
  readonly dockerfileName: string;
  /** @throws BunkerError `dockerfile_not_found` */
  readDockerfile(): Promise<Buffer>;
}

/** Opens what a build takes from outside; nothing is read before it is asked for. */
export function openSources(session: BuildSession, options: BuildOptions): OpenSources {
  const cleanup = new DisposableStack();
  const directory = resolve(options.context);
  const dockerfile = dockerfilePath(directory, options.dockerfile);
  let opened: FileSource | undefined;
  let memory: string | undefined;
  return {
    dockerfileName: dockerfile === undefined ? "Dockerfile" : basename(dockerfile),
    readDockerfile: async () => readDockerfile(dockerfile),
    context: async () => {
      opened ??= { kind: "directory", path: directory, ignored: readIgnoreFile(directory, dockerfile).patterns };
      return opened;
    },
    named: (name) => namedSource(options.buildContexts.get(name)),
    secrets: {
      secret: (id) => {
        const source = options.secrets.find((each) => each.id === id);
        return source && readSecret(source, process.env);
      },
      agent: (id, path) => {
        const source = options.agents.find((each) => each.id === id);
        return source && forwardAgent(agentSocket(source, process.env), path);
      },
      memory: () => {
        if (memory !== undefined) return memory;
        const path = session.cache.makeStaging();
        mountMemoryHere(path);
        cleanup.defer(() => {
          unmount(path, MNT_DETACH);
          removeTree(path);
        });
        memory = path;
        return path;
      },
    },
    [Symbol.asyncDispose]: async () => cleanup.dispose(),
  };
}

function dockerfilePath(directory: string, given: string | undefined): string | undefined {
  if (given === "-") return undefined;
  if (given === undefined) return join(directory, "Dockerfile");
  return isAbsolute(given) ? given : resolve(given);
}

function readDockerfile(path: string | undefined): Buffer {
  if (path === undefined) return readFileSync(0);
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new BunkerError(
      {
        code: "dockerfile_not_found",
        operation: "read the Dockerfile",
        object: path,
        errno: errnoOf(cause) ?? Errno.EIO,
        hint: "Name it with -f, or give another directory.",
        exitStatus: 1,
      },
      { cause },
    );
  }
}

function namedSource(value: string | undefined): NamedSource | undefined {
  if (value === undefined) return undefined;
  const image = /^docker-image:\/\/(.+)$/.exec(value)?.[1];
  if (image !== undefined) return { kind: "image", name: image };
  const path = resolve(value);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new BunkerError({
      code: "context_not_found",
      operation: "open the build context",
      object: value,
      errno: Errno.ENOENT,
      exitStatus: 1,
    });
  }
  return {
    kind: "files",
    open: async () => ({ kind: "directory", path, ignored: readIgnoreFile(path, undefined).patterns }),
  };
}
