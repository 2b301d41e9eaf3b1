/*
 * HOME. The specification leaves a process's environment to whoever writes the configuration; but programs that do, such
 * as containerd and the kubelet, rely on what runc does: a process without HOME gets its user's home directory, as the
 * container's own /etc/passwd has it, or "/".
 */

import { encodeText } from "../../sys/byte-string.ts";
import { openAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { findPasswordEntry } from "../../sys/password-entry.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { readInRoot } from "../../sys/read-in-root.ts";
import { resolvePath } from "../../sys/resolve-path.ts";
import type { Configuration, Process } from "../configuration/configuration.ts";

const PASSWD = "etc/passwd";

/** A container's first process with HOME; `bundle` is where relative paths of the configuration start. */
export function firstProcessWithHome(configuration: Configuration, bundle: string): Process | undefined {
  const { process, root, mounts = [] } = configuration;
  if (process === undefined || hasHome(process)) return process;
  const mount = mounts.findLast(({ destination }) => destination === `/${PASSWD}`);
  const passwd =
    mount?.source === undefined
      ? readBelow(resolvePath(root.path, bundle))
      : readIfThere(resolvePath(mount.source, bundle));
  return withHome(process, passwd);
}

/** A further process with HOME; `pid` is that of the container's first. */
export function furtherProcessWithHome(process: Process, pid: number): Process {
  return hasHome(process) ? process : withHome(process, readBelow(`/proc/${pid}/root`));
}

function hasHome({ env = [] }: Process): boolean {
  return env.some((entry) => entry.startsWith("HOME=") && entry !== "HOME=");
}

function readBelow(root: string): string | undefined {
  const opened = openAt(AT_FDCWD, encodeText(root), OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC);
  if (opened < 0) return undefined;
  using directory = new FileDescriptor(opened);
  return readInRoot(directory.number, PASSWD);
}

function withHome(process: Process, passwd = ""): Process {
  const home = findPasswordEntry(passwd, process.user.uid)?.home || "/";
  return { ...process, env: [...(process.env ?? []).filter((entry) => entry !== "HOME="), `HOME=${home}`] };
}
