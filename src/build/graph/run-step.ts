/*
 * RUN as a step of the graph: which words it runs, what it has mounted, and what of all that is in its key. Not in the key
 * are secrets, agents of ssh, proxies, and what caches hold, as in BuildKit: none of them is meant to change the result.
 */
import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import type { PlacedMount } from "../../engine/specification/run-options.ts";
import { decodeText, encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { changeOwnerAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { check } from "../../sys/system-call.ts";
import { takeCacheMount } from "../cache/cache-mount.ts";
import { heredocMark } from "../dockerfile/heredoc-marks.ts";
import type { CommandLine, RunMount } from "../dockerfile/instruction.ts";
import { changeFiles } from "../files/change-files.ts";
import { followPath } from "../files/tree-path.ts";
import type { ContainerOptions } from "../run/run-configuration.ts";
import { fileWork } from "./copy-step.ts";
import { type BuildSession, mountReadable, mountWritable } from "./session.ts";
import type { RootNode, StepInput, StepWork } from "./step.ts";

/** Where a heredoc that is a program of its own is found in the container, as in BuildKit. */
const PROGRAM_DIRECTORY = "/dev/pipes";

/** A RUN with everything that its stage says of it. */
export interface RunStep extends ContainerOptions {
  readonly command: CommandLine;
  /** Of SHELL. */
  readonly shell: readonly string[];
  /** `NAME=value` of the stage and of its arguments. */
  readonly environment: readonly string[];
  /** Arguments that are in its environment and not in its key. */
  readonly proxies: readonly string[];
  readonly workingDirectory: string;
  readonly user: string;
  readonly mounts: readonly RunMount[];
  /** What the mounts of the kinds `bind` and `cache` are from, in the order of `mounts`; undefined for nothing. */
  readonly sources: readonly (RootNode | undefined)[];
  readonly network: "default" | "none" | "host";
  readonly isInsecure: boolean;
  readonly hostname: string;
}

/** What a container is to find at a place. */
interface OpenedMounts extends Disposable {
  readonly mounts: readonly PlacedMount[];
  readonly environment: readonly string[];
}

/** Who a file belongs to, and its mode. */
interface Owned {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A program that stands in the Dockerfile: a heredoc with `#!`. */
interface WrittenProgram {
  readonly name: string;
  readonly content: string;
}

/** The words that a RUN executes, and the program that it needs besides. */
export function wordsOf(
  command: CommandLine,
  shell: readonly string[],
): { readonly words: readonly string[]; readonly program: WrittenProgram | undefined } {
  if (command.form === "exec") return { words: command.words, program: undefined };
  const { text, heredocs } = command;
  const [first] = heredocs;
  if (first === undefined) return { words: [...shell, text], program: undefined };
  const isAlone = heredocMark(text) !== undefined;
  if (!isAlone) {
    const all = heredocs.map(({ name, content }) => `\n${content}${name}`).join("");
    return { words: [...shell, `${text}${all}`], program: undefined };
  }
  const content = first.stripsTabs ? first.content.replace(/^\t+/gm, "") : first.content;
  if (!content.startsWith("#!")) return { words: [...shell, content], program: undefined };
  return { words: [...shell, `${PROGRAM_DIRECTORY}/${first.name}`], program: { name: first.name, content } };
}

/** What of a RUN is in its key. */
export function runDefinition(step: RunStep): object {
  const { words, program } = wordsOf(step.command, step.shell);
  const { environment, workingDirectory, user, mounts, network, isInsecure, hostname } = step;
  const { addedHosts, noHosts, resourceLimits, sharedMemorySize, capabilitiesAdded, capabilitiesDropped, security } =
    step;
  return {
    kind: "run",
    ...{
      words,
      program,
      environment,
      workingDirectory,
      user,
      mounts,
      network,
      isInsecure,
      hostname,
      addedHosts,
      sharedMemorySize,
      capabilitiesAdded,
      capabilitiesDropped,
      security,
    },
    // Only then, so that keys of before are found.
    ...(noHosts ? { noHosts } : {}),
    resourceLimits: resourceLimits.map(({ type, soft, hard }) => [type, String(soft), String(hard)]),
  };
}

/**
 * What a RUN reads.
 * @param contentKey of a path in the files of a root file system
 */
export function runInputs(
  { mounts, sources }: RunStep,
  contentKey: (directories: readonly string[], path: string) => Promise<string>,
): readonly StepInput[] {
  return mounts.flatMap((mount, place): StepInput[] => {
    const node = sources[place];
    if (node === undefined || !("source" in mount)) return [];
    return [{ kind: "root", node, contentKey: (directories) => contentKey(directories, mount.source) }];
  });
}

/** Where secrets and agents come from. */
export interface RunSecrets {
  /** @throws BunkerError where it cannot be read; undefined for an id that nobody has given */
  readonly secret: (id: string) => Buffer | undefined;
  /** Makes a socket by which an agent is reached; undefined for an id that nobody has given. */
  readonly agent: (id: string, path: string) => Promise<Disposable> | undefined;
  /** A directory in memory, for what must not be on a disk. */
  readonly memory: () => string;
}

/**
 * Executes a RUN.
 * @throws BunkerError as `executeRun`, `secret_missing`
 */
export async function executeRunStep(
  session: BuildSession,
  step: RunStep,
  secrets: RunSecrets,
  { staging, lower, inputs, vertex }: StepWork,
): Promise<void> {
  // Most of what containers need, and nothing that a build needs whose steps are all in the cache.
  const { executeRun } = await import("../run/execute-run.ts");
  const { words, program } = wordsOf(step.command, step.shell);
  using opened = await openMounts(session, step, secrets, inputs);
  using written = program === undefined ? undefined : writeProgram(session, program);
  await session.processors.during(() => {
    vertex.begin();
    return executeRun(
      {
        ...step,
        id: randomUUID().replaceAll("-", ""),
        words,
        environment: [...step.environment, ...step.proxies, ...opened.environment],
        mounts: [...opened.mounts, ...(written === undefined ? [] : [written.mount])],
      },
      {
        ...{ data: session.data, ownership: session.ownership, staging, lower, signal: session.signal },
        onOutput: (stream, bytes) => vertex.output(stream, bytes),
      },
    );
  });
}

async function openMounts(
  session: BuildSession,
  { mounts, sources }: RunStep,
  secrets: RunSecrets,
  inputs: readonly (readonly string[])[],
): Promise<OpenedMounts> {
  using cleanup = new DisposableStack();
  const placed: PlacedMount[] = [];
  const environment: string[] = [];
  const waiting = inputs.values();
  for (const [place, mount] of mounts.entries()) {
    const lower = sources[place] === undefined ? undefined : waiting.next().value;
    switch (mount.type) {
      case "bind": {
        const root = cleanup.use(
          mount.isReadOnly
            ? mountReadable(session, lower ?? [])
            : mountWritable(session, cleanup.use(scratchDirectory(session)).path, lower ?? []),
        );
        placed.push(bindMount(pathInside(root.path, mount.source), mount.target, mount.isReadOnly));
        break;
      }
      case "cache": {
        const taken = await takeCacheMount(session.cache, {
          ...{ id: session.arguments.cacheMountNamespace + mount.id, sharing: mount.sharing, signal: session.signal },
          make: async (path) => {
            if (lower === undefined) mkdirSync(path);
            else await fill(session, path, lower, mount.source);
            check(changeOwnerAt(AT_FDCWD, encodeText(path), mount.uid, mount.gid), "give", path);
            chmodSync(path, mount.mode);
          },
        });
        cleanup.use(taken);
        placed.push(bindMount(taken.path, mount.target, mount.isReadOnly));
        break;
      }
      case "tmpfs": {
        const size = mount.size === undefined ? [] : [`size=${mount.size}`];
        placed.push({ type: "tmpfs", destination: mount.target, options: ["nosuid", "nodev", "mode=1777", ...size] });
        break;
      }
      case "secret": {
        const value = secrets.secret(mount.id);
        if (value === undefined) {
          if (mount.isRequired) throw missing("secret", mount.id);
          break;
        }
        if (mount.environmentVariable !== undefined)
          environment.push(`${mount.environmentVariable}=${value.toString()}`);
        if (mount.target === undefined) break;
        const path = `${secrets.memory()}/${randomUUID()}`;
        writeOwned(path, value, mount);
        placed.push(bindMount(path, mount.target, true));
        break;
      }
      case "ssh": {
        const path = `${secrets.memory()}/${randomUUID()}`;
        const agent = secrets.agent(mount.id, path);
        if (agent === undefined) {
          if (mount.isRequired) throw missing("ssh", mount.id);
          break;
        }
        cleanup.use(await agent);
        chmodSync(path, mount.mode);
        check(changeOwnerAt(AT_FDCWD, encodeText(path), mount.uid, mount.gid), "give", path);
        const target = mount.target ?? `/run/buildkit/ssh_agent.${place}`;
        placed.push(bindMount(path, target, false));
        if (!environment.some((entry) => entry.startsWith("SSH_AUTH_SOCK=")))
          environment.push(`SSH_AUTH_SOCK=${target}`);
        break;
      }
    }
  }
  const owned = cleanup.move();
  return { mounts: placed, environment, [Symbol.dispose]: () => owned.dispose() };
}

/** Makes the directory of a cache mount with what a root file system has at a path. */
async function fill(session: BuildSession, path: string, layers: readonly string[], source: string): Promise<void> {
  using mountPoints = scratchDirectory(session);
  const selection = { source: { kind: "layers", layers }, paths: [source], excluded: [], keepsParents: false } as const;
  const part = { ...selection, unpacks: false, stamp: undefined };
  const operation = { kind: "copy", parts: [part], destination: "/", owner: undefined, mode: undefined } as const;
  const target = { lower: [], upper: path, work: `${mountPoints.path}/work` };
  await changeFiles(target, [operation], fileWork(session, mountPoints.path), session.signal);
}

/** A directory for what is written and not kept. */
function scratchDirectory({ cache }: BuildSession): Disposable & { readonly path: string } {
  const path = cache.makeStaging();
  return { path, [Symbol.dispose]: () => removeTree(path) };
}

function writeProgram(session: BuildSession, { name, content }: WrittenProgram) {
  const directory = scratchDirectory(session);
  writeFileSync(`${directory.path}/${name}`, content, { mode: 0o755 });
  chmodSync(`${directory.path}/${name}`, 0o755);
  return {
    mount: bindMount(directory.path, PROGRAM_DIRECTORY, true),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

function writeOwned(path: string, content: Buffer, { mode, uid, gid }: Owned): void {
  writeFileSync(path, content, { mode: 0o600 });
  check(changeOwnerAt(AT_FDCWD, encodeText(path), uid, gid), "give", path);
  chmodSync(path, mode);
}

/** Where a path leads to in a root file system: links in it never lead out. */
function pathInside(root: string, path: string): string {
  const descriptor = new FileDescriptor(openSync(root, OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC));
  using _ = descriptor;
  const found = followPath(descriptor.number, encodeText(path), true);
  if (found.missing.length > 0) {
    throw new BunkerError({
      code: "source_not_found",
      operation: "mount",
      object: JSON.stringify(path),
      errno: Errno.ENOENT,
      exitStatus: 1,
    });
  }
  return posix.join(root, decodeText(found.path));
}

function bindMount(source: string, destination: string, readOnly: boolean): PlacedMount {
  return {
    type: "bind",
    ...{ source, destination, readOnly },
    createSource: false,
    propagation: "rprivate",
    recursive: true,
    recursiveReadOnly: false,
    relabel: undefined,
    givesToUser: false,
    isOverlay: false,
    options: [],
  };
}

function missing(kind: "secret" | "ssh", id: string): BunkerError {
  return new BunkerError({
    code: `${kind}_missing`,
    operation: "mount",
    object: `${kind} ${id}`,
    reason: "it is required, and was not given",
    hint: kind === "secret" ? `Give it: --secret id=${id},src=FILE.` : `Give it: --ssh ${id}.`,
    exitStatus: 1,
  });
}
