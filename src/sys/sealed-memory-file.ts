import { Errno } from "./errno.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { makeMemoryFile } from "./memory-file.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";
import { writeAt } from "./write-at.ts";

const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
const F_SEAL_SEAL = 1;
const F_SEAL_SHRINK = 2;
const F_SEAL_GROW = 4;
const F_SEAL_WRITE = 8;

/**
 * Makes an executable file that exists only in memory and whose content nobody can change; memfd_create(2),
 * F_ADD_SEALS of fcntl(2).
 * @param name for people who look into /proc
 * @returns a close-on-exec descriptor
 */
export function sealedMemoryFile(name: string, content: Uint8Array): FileDescriptor {
  // Kernels before 6.3 do not know MFD_EXEC, and make every such file executable.
  const made = makeMemoryFile(name, MFD_ALLOW_SEALING | MFD_EXEC);
  const number = made === -Errno.EINVAL ? makeMemoryFile(name, MFD_ALLOW_SEALING) : made;
  const file = new FileDescriptor(check(number, "make a file in memory", name));
  try {
    check(writeAt(file.number, content, 0, content.length, 0), "write a file in memory", name);
    const seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    check(systemCall(SystemCall.fcntl, file.number, F_ADD_SEALS, seals), "seal a file in memory", name);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
