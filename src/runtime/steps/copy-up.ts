/*
 * The mount option `tmpcopyup`: a new tmpfs starts with a copy of what it hides.
 *
 * The copy is made through the child (launch/remote-calls.ts), because only there the ids are the container's and the
 * tmpfs can be written; it is made before the tmpfs is attached, so nobody sees it half full. Every name is resolved
 * relative to an open directory and no symbolic link is followed: the source lies in the image and is not trusted.
 */
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { type Exchange, RemoteCalls } from "../../launch/remote-calls.ts";
import { type ByteString, decodeText } from "../../sys/byte-string.ts";
import { parseDirectoryEntries } from "../../sys/directory-entries.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { setInteger64 } from "../../sys/integer64.ts";
import type { Memory } from "../../sys/memory.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, OpenFlag } from "../../sys/open.ts";
import { deviceNumber, FileMode, type FileStatus, isType, readStatus, STATUS_SIZE } from "../../sys/stat.ts";

const CALLS = [
  "openat",
  "close",
  "getdents64",
  "statx",
  "mkdirat",
  "mknodat",
  "symlinkat",
  "readlinkat",
  "sendfile",
  "fchown",
  "fchownat",
  "fchmod",
  "fchmodat",
  "utimensat",
  "flistxattr",
  "fgetxattr",
  "fsetxattr",
] as const;
type Call = (name: (typeof CALLS)[number], ...args: number[]) => number;

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_CLOEXEC } = OpenFlag;
const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
const STATX_BASIC_STATS = 0x7ff;
const NAME_SIZE = 4096;
const BUFFER_SIZE = 65536;
const TIMES_SIZE = 32;
const MOST_AT_ONCE = 2 ** 30;

/** What of the tmpfs's own root its options have settled already. */
interface SettledAttributes {
  readonly owner: boolean;
  readonly mode: boolean;
}

/** A copy that the program waits for. */
export interface CopyUp {
  /** Makes the copy when the program has come to it; throws BunkerError `copy_up_failed`. */
  run(exchange: Exchange): void;
}

/** Where a copy goes; the slots may be released when `emitCopyUp` has returned. */
interface CopyUpPlaces {
  /** The directory, which may be opened with O_PATH. */
  readonly source: Slot;
  /** The root of the tmpfs. */
  readonly destination: Slot;
  /** Not 0 if there is something to copy. */
  readonly wasThere: Slot;
  /** Of the directory in the container, for messages. */
  readonly path: string;
  readonly settled: SettledAttributes;
}

/** Emits the wait for a copy. */
export function emitCopyUp(
  program: LaunchProgram,
  socket: number,
  { source, destination, wasThere, path, settled }: CopyUpPlaces,
): CopyUp {
  const remote = new RemoteCalls(program, socket, CALLS);
  const memory = {
    name: program.reserve(NAME_SIZE),
    target: program.reserve(NAME_SIZE),
    buffer: program.reserve(BUFFER_SIZE),
    status: program.reserve(STATUS_SIZE),
    times: program.reserve(TIMES_SIZE),
  };
  return {
    run: (exchange) =>
      remote.serve(exchange, (call) => {
        if (program.read(wasThere) === 0) return;
        const copy = new TreeCopy(call, memory);
        copy.copyRoot(program.read(source), program.read(destination), path, settled);
      }),
  };
}

/** Memory that the child shares, for the arguments of calls. */
type CallMemory = Readonly<Record<"name" | "target" | "buffer" | "status" | "times", Memory>>;

class TreeCopy {
  readonly #call: Call;
  readonly #memory: CallMemory;

  constructor(call: Call, memory: CallMemory) {
    this.#call = call;
    this.#memory = memory;
  }

  copyRoot(source: number, destination: number, path: string, settled: SettledAttributes): void {
    const status = this.#status(source, "" as ByteString, path);
    this.#withBoth(source, destination, "." as ByteString, READ | O_DIRECTORY, path, (from, to) => {
      this.#copyEntries(from, to, path);
      if (!settled.owner) this.#checkOwner(this.#call("fchown", to, status.uid, status.gid), path);
      if (!settled.mode) this.#check(this.#call("fchmod", to, status.mode & FileMode.permissions), path);
      this.#copyExtendedAttributes(from, to, path);
      this.#check(this.#call("utimensat", to, 0, this.#times(status), 0), path);
    });
  }

  #copyEntries(from: number, to: number, path: string): void {
    const { buffer } = this.#memory;
    for (;;) {
      const length = this.#check(this.#call("getdents64", from, buffer.address, BUFFER_SIZE), path);
      if (length === 0) return;
      // The whole batch before the first entry is copied, which uses the same memory.
      const names = parseDirectoryEntries(buffer, length).map(({ name }) => name);
      for (const name of names) this.#copyEntry(from, to, name, `${path}/${decodeText(name)}`);
    }
  }

  #copyEntry(from: number, to: number, name: ByteString, path: string): void {
    const status = this.#status(from, name, path);
    if (isType(status, FileMode.directory)) {
      this.#check(this.#call("mkdirat", to, this.#name(name), 0o700), path);
      this.#withBoth(from, to, name, READ | O_DIRECTORY, path, (source, destination) => {
        this.#copyEntries(source, destination, path);
        this.#copyAttributes(source, destination, status, path);
      });
    } else if (isType(status, FileMode.regular)) {
      this.#withBoth(from, to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, path, (source, destination) => {
        while (this.#check(this.#call("sendfile", destination, source, 0, MOST_AT_ONCE), path) > 0);
        this.#copyAttributes(source, destination, status, path);
      });
    } else {
      this.#copySpecial(from, to, name, status, path);
    }
  }

  /** Copies what has no content that could be read: symbolic links, FIFOs, sockets and devices. */
  #copySpecial(from: number, to: number, name: ByteString, status: FileStatus, path: string): void {
    const call = this.#call;
    const isLink = isType(status, FileMode.symbolicLink);
    if (isLink) {
      const { address, buffer } = this.#memory.target;
      const length = this.#check(call("readlinkat", from, this.#name(name), address, NAME_SIZE - 1), path);
      buffer[length] = 0;
      this.#check(call("symlinkat", address, to, this.#name(name)), path);
    } else {
      const device = deviceNumber(status.deviceMajor, status.deviceMinor);
      this.#check(call("mknodat", to, this.#name(name), status.mode, device), path);
    }
    this.#checkOwner(call("fchownat", to, this.#name(name), status.uid, status.gid, AT_SYMLINK_NOFOLLOW), path);
    if (!isLink) this.#check(call("fchmodat", to, this.#name(name), status.mode & FileMode.permissions), path);
    this.#check(call("utimensat", to, this.#name(name), this.#times(status), AT_SYMLINK_NOFOLLOW), path);
  }

  /** Owner before mode, because a change of owner clears the set-user-id bit; times last. */
  #copyAttributes(source: number, destination: number, status: FileStatus, path: string): void {
    this.#checkOwner(this.#call("fchown", destination, status.uid, status.gid), path);
    this.#check(this.#call("fchmod", destination, status.mode & FileMode.permissions), path);
    this.#copyExtendedAttributes(source, destination, path);
    this.#check(this.#call("utimensat", destination, 0, this.#times(status), 0), path);
  }

  /** Those that a tmpfs of this container can have: not every kernel's has `user.`, and labels are the host's. */
  #copyExtendedAttributes(source: number, destination: number, path: string): void {
    const { address, buffer } = this.#memory.buffer;
    const listed = this.#call("flistxattr", source, address, BUFFER_SIZE);
    if (listed === -Errno.EOPNOTSUPP) return;
    const names = buffer.toString("latin1", 0, this.#check(listed, path)).split("\0").slice(0, -1);
    for (const name of names) {
      const nameAddress = this.#name(name as ByteString);
      const length = this.#check(this.#call("fgetxattr", source, nameAddress, address, BUFFER_SIZE), path);
      const result = this.#call("fsetxattr", destination, nameAddress, address, length, 0);
      if (result !== -Errno.EOPNOTSUPP && result !== -Errno.EPERM) this.#check(result, path);
    }
  }

  /** Opens a name in both directories: in the first to read, in the second with `flags`. */
  #withBoth(
    from: number,
    to: number,
    name: ByteString,
    flags: number,
    path: string,
    use: (source: number, destination: number) => void,
  ): void {
    const source = this.#check(this.#call("openat", from, this.#name(name), READ), path);
    const destination = this.#check(this.#call("openat", to, this.#name(name), flags, 0o600), path);
    use(source, destination);
    this.#call("close", source);
    this.#call("close", destination);
  }

  #status(directory: number, name: ByteString, path: string): FileStatus {
    const flags = AT_SYMLINK_NOFOLLOW | (name === "" ? AT_EMPTY_PATH : 0);
    const { status } = this.#memory;
    this.#check(this.#call("statx", directory, this.#name(name), flags, STATX_BASIC_STATS, status.address), path);
    return readStatus(status);
  }

  #name(name: ByteString): number {
    const { address, buffer } = this.#memory.name;
    buffer.write(`${name}\0`, "latin1");
    return address;
  }

  #times({ accessed, modified }: FileStatus): number {
    const { address, view } = this.#memory.times;
    for (const [index, { seconds, nanoseconds }] of [accessed, modified].entries()) {
      setInteger64(view, 16 * index, seconds);
      setInteger64(view, 16 * index + 8, nanoseconds);
    }
    return address;
  }

  /** EINVAL: the owner has no id in the container, to which the copy then belongs. */
  #checkOwner(result: number, path: string): void {
    if (result !== -Errno.EINVAL) this.#check(result, path);
  }

  #check(result: number, path: string): number {
    if (result >= 0) return result;
    throw new BunkerError({
      code: "copy_up_failed",
      operation: "copy into the tmpfs what it hides:",
      object: path,
      errno: -result,
    });
  }
}
