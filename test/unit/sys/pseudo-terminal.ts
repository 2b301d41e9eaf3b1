import { openSync } from "node:fs";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { allocate } from "../../../src/sys/memory.ts";
import { OpenFlag } from "../../../src/sys/open.ts";
import { check, SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { TerminalRequest } from "../../../src/sys/terminal.ts";

/** A new pseudoterminal, as the kernel makes it: not raw, echoing; pty(7). Nobody's controlling terminal. */
export function pseudoTerminal(flags = 0): { readonly master: FileDescriptor; readonly peer: FileDescriptor } {
  const { O_RDWR, O_NOCTTY, O_CLOEXEC } = OpenFlag;
  const master = new FileDescriptor(openSync("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | flags));
  const unlocked = allocate(4);
  check(systemCall(SystemCall.ioctl, master.number, TerminalRequest.TIOCSPTLCK, unlocked.address), "unlock a terminal");
  const peer = systemCall(
    SystemCall.ioctl,
    master.number,
    TerminalRequest.TIOCGPTPEER,
    O_RDWR | O_NOCTTY | O_CLOEXEC | flags,
  );
  return { master, peer: new FileDescriptor(check(peer, "open a terminal's other side")) };
}
