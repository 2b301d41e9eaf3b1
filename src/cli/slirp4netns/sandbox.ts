/*
 * `--enable-sandbox` of slirp4netns: the process keeps sockets of the host, so whoever takes it over from inside the
 * container must not find the host's files and rights beside them.
 *
 * What confines a process holds for one thread, and Bun has several from its start on. So the process executes itself
 * again when it has everything that it needs the host for (the device, the socket of its API), and is confined when it
 * has a single thread, in three steps:
 *
 *   1. A child makes a mount namespace, and a user namespace where the user has no right to one otherwise. In it the
 *      new root waits: an empty file system, which nobody can write to, with the host's /etc and what its resolv.conf(5) may
 *      be a link into, read-only as well. The rest of /run is left out: slirp4netns keeps it, but the user's own services
 *      listen there.
 *   2. The process executes a program file of a few operations, which joins these namespaces, gives every capability up
 *      but CAP_NET_BIND_SERVICE, also for every later exec, and executes Bunker. It stays the process that the caller
 *      knows.
 *   3. Bunker, which needs files of the host to start (the dynamic linker, libc), has the child change the root when it
 *      has started (sandbox-root.ts): pivot_root(2) moves every process of the mount namespace that is at the old root, so it takes no
 *      right of the process itself. The child ends with the old root unmounted.
 */
import { existsSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { readFailure } from "../../launch/launch.ts";
import { LaunchProgram } from "../../launch/program.ts";
import { hasCapabilities } from "../../runtime/callers-capabilities.ts";
import { Capability } from "../../runtime/configuration/capabilities.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { launchAsRoot } from "../../runtime/launch-as-root.ts";
import { closeSlot, openDirectory } from "../../runtime/steps/files.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "../../runtime/steps/mounts.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { Errno, errnoName } from "../../sys/errno.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { MNT_DETACH, MountAttribute, MountFlag } from "../../sys/mount.ts";
import { servingEnvironment } from "../../sys/own-command.ts";
import { waitForExit } from "../../sys/process.ts";
import { pipe } from "../../sys/socket.ts";
import { executeConfined } from "./confine.ts";
import { descriptorsOf, type Service, servingWords } from "./service.ts";
import { SlirpError } from "./slirp-error.ts";

const PROGRAM_SIZE = 65536;
const RESOLVER_FILE = "/etc/resolv.conf";
const RESOLVER_FILE_DIRECTORY = "/etc";
/** Where those write who make resolv.conf(5) a link to a file of theirs, maybe not before a cable is plugged in. */
const RESOLVER_DIRECTORIES = ["/run/NetworkManager", "/run/netconfig", "/run/resolvconf", "/run/systemd/resolve"];
/** Where the new root lies before it is the root; every host has it. */
const MOUNT_POINT = "/tmp";

/** A child that holds the namespaces and waits to change the root. */
interface Keeper {
  readonly pid: number;
  readonly pidfd: FileDescriptor;
  /** A byte has it change the root; without one it ends when this is closed. */
  readonly go: FileDescriptor;
  /** Whether its user namespace is another one than this process's. */
  readonly hasUserNamespace: boolean;
}

/**
 * Executes this program again, in the sandbox.
 * @throws BunkerError, SlirpError; otherwise it does not return
 */
export function executeInSandbox(service: Service): never {
  const { pid, pidfd, go, hasUserNamespace } = startKeeper();
  const keepsCapability = !hasUserNamespace && hasCapabilities(["CAP_NET_BIND_SERVICE"]);
  const confined = { ...service, sandbox: { go: go.number, keeper: pid } };
  const errno = executeConfined({
    namespaces: { descriptor: pidfd.number, types: CloneFlag.NEWNS | (hasUserNamespace ? CloneFlag.NEWUSER : 0) },
    capability: keepsCapability ? Capability.CAP_NET_BIND_SERVICE : undefined,
    descriptors: descriptorsOf(confined),
    words: servingWords(confined),
    environment: servingEnvironment(),
  });
  // The child ends by itself when this process does.
  throw new SlirpError(`cannot execute in the sandbox: ${errnoName(errno)}`);
}

function startKeeper(): Keeper {
  const [goRead, goWrite] = pipe();
  using _goRead = goRead;
  using program = new LaunchProgram(PROGRAM_SIZE);
  const map = hasCapabilities(["CAP_SYS_ADMIN"]) ? undefined : mapOfThisUser();
  const child = launchAsRoot(program, map, CloneFlag.NEWNS, () => {
    program.call("close", [goWrite.number], { operation: "close the pipe" });
    emitRoot(program, goRead.number);
  });
  using _errors = child.errors;
  const failure = readFailure(child, program);
  if (failure === undefined) {
    return { pid: child.pid, pidfd: child.pidfd, go: goWrite, hasUserNamespace: map !== undefined };
  }
  waitForExit(child.pid);
  child.pidfd.close();
  goWrite.close();
  throw failure;
}

function mapOfThisUser(): IdMap {
  const mapping = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];
  return {
    uidMappings: mapping(process.geteuid?.() ?? 0),
    gidMappings: mapping(process.getegid?.() ?? 0),
  };
}

/** What stays of the host's files. */
function keptDirectories(): string[] {
  const linked = existsSync(RESOLVER_FILE) ? dirname(realpathSync(RESOLVER_FILE)) : RESOLVER_FILE_DIRECTORY;
  const others = new Set([...RESOLVER_DIRECTORIES, linked]);
  const isKept = (path: string) =>
    path !== "/" && existsSync(path) && !`${path}/`.startsWith(`${RESOLVER_FILE_DIRECTORY}/`);
  return [RESOLVER_FILE_DIRECTORY, ...[...others].filter(isKept)];
}

/** A directory and all those that it is in, the outermost first, without the root. */
function directoriesTo(path: string): string[] {
  const names = path.slice(1).split("/");
  return names.map((_name, index) => `/${names.slice(0, index + 1).join("/")}`);
}

/** Makes the new root, says so by closing the error descriptor, and changes to it when a byte comes. */
function emitRoot(program: LaunchProgram, go: number): void {
  const what = { operation: "make the root directory of the sandbox" };
  const { RDONLY, NOSUID, NODEV, NOEXEC } = MountAttribute;
  program.call("mount", [0, program.text("/"), 0, MountFlag.MS_REC | MountFlag.MS_SLAVE, 0], what);
  const kept = keptDirectories().map((path) => {
    const tree = cloneTree(program, path, true, { ...what, object: path });
    setAttributes(program, tree, { set: RDONLY | NOSUID | NODEV | NOEXEC }, true, { ...what, object: path });
    return { path, tree };
  });
  const data = [
    ["size", "64k"],
    ["mode", "0755"],
  ] as const;
  const filesystem = newFilesystem(program, "tmpfs", "tmpfs", NOSUID | NODEV | NOEXEC, data, what);
  attach(program, filesystem, openDirectory(program, MOUNT_POINT, "mount point"), { ...what, object: MOUNT_POINT });
  const root = openDirectory(program, MOUNT_POINT, "root");
  program.call("fchdir", [root], what);
  for (const { path, tree } of kept) {
    for (const directory of directoriesTo(path)) {
      const name = program.text(directory.slice(1));
      program.call("mkdirat", [root, name, 0o755], { ...what, object: directory }, { ignore: [Errno.EEXIST] });
    }
    attach(program, tree, openDirectory(program, `${MOUNT_POINT}${path}`, path), { ...what, object: path });
  }
  setAttributes(program, root, { set: RDONLY }, false, what);
  closeSlot(program, root);
  program.call("close", [program.errorDescriptor], what);
  const count = program.slot("count");
  const result = program.slot("result");
  const isTold = program.label("told");
  const isRefused = program.label("refused");
  const here = program.text(".");
  program.call("read", [go, program.reserve(8).address, 1], what, { result: count, ignore: "any" });
  program.branch(count, "equal", 1, isTold);
  program.call("exit_group", [1], what);
  program.place(isTold);
  const orRefused = { result, ignore: "any", onIgnored: isRefused } as const;
  program.call("pivot_root", [here, here], what, orRefused);
  // The old root lies on top of the new one now.
  program.call("umount2", [here, MNT_DETACH], what, orRefused);
  program.call("exit_group", [0], what);
  program.place(isRefused);
  program.call("exit_group", [result], what);
}
