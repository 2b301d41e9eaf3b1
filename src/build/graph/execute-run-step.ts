/*
 * Executing a RUN: what it has mounted is opened or made, and the command runs in a container over the layers below. Nothing
 * of this is loaded by a build whose steps are all in the cache.
 */
import { chmodSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import type { PlacedMount } from "../../engine/specification/run-options.ts";
import { beginChanges } from "../../engine/volumes/begin-changes.ts";
import { checkOverlaySource } from "../../engine/volumes/place-mounts.ts";
import { decodeText, encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { changeOwnerAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { check } from "../../sys/system-call.ts";
import { takeCacheMount } from "../cache/cache-mount.ts";
import { changeFiles } from "../files/change-files.ts";
import { followPath } from "../files/tree-path.ts";
import { executeRun } from "../run/execute-run.ts";
import { fileWork } from "./copy-step.ts";
import { mountReadable, mountWritable } from "./mounted-root.ts";
import { PROGRAM_DIRECTORY, type RunSecrets, type RunStep, type WrittenProgram, wordsOf } from "./run-step.ts";
import type { BuildSession } from "./session.ts";
import type { StepWork } from "./step.ts";

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
  const { words, program } = wordsOf(step.command, step.shell);
  using volumes = openVolumes(session, step);
  using opened = await openMounts(session, step, secrets, inputs);
  using written = program === undefined ? undefined : writeProgram(session, program);
  await session.processors.during(() => {
    vertex.begin();
    return executeRun(
      {
        ...step,
        id: crypto.randomUUID().replaceAll("-", ""),
        words,
        environment: [...step.environment, ...step.proxies, ...opened.environment],
        mounts: [...volumes.mounts, ...opened.mounts, ...(written === undefined ? [] : [written.mount])],
      },
      {
        ...{ data: session.data, ownership: session.ownership, staging, lower, signal: session.signal },
        onOutput: (stream, bytes) => vertex.output(stream, bytes),
      },
    );
  });
}

/** What of the host a command finds; what it writes to a view of it (`O`) goes when it ends. */
function openVolumes(
  session: BuildSession,
  { volumes }: RunStep,
): Disposable & { readonly mounts: readonly PlacedMount[] } {
  using cleanup = new DisposableStack();
  const mounts = volumes.map((volume): PlacedMount => {
    if (!volume.isOverlay) return volume;
    const { source, destination, readOnly, options } = volume;
    checkOverlaySource(source, destination);
    const changes = cleanup.use(scratchDirectory(session)).path;
    beginChanges(session.data, source, changes);
    return { type: "overlay", source, changes, destination, readOnly, options };
  });
  const owned = cleanup.move();
  return { mounts, [Symbol.dispose]: () => owned.dispose() };
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
        const path = `${await secrets.memory()}/${crypto.randomUUID()}`;
        writeOwned(path, value, mount);
        placed.push(bindMount(path, mount.target, true));
        break;
      }
      case "ssh": {
        const path = `${await secrets.memory()}/${crypto.randomUUID()}`;
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
