/** Terminals: attributes, raw mode, window size; termios(3), ioctl_tty(2). */
import { allocate, type Memory } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

/** Requests of ioctl_tty(2); the same numbers on x86-64 and arm64. */
export const TerminalRequest = {
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TIOCSCTTY: 0x540e,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  TIOCSPTLCK: 0x40045431,
  TIOCGPTPEER: 0x5441,
} as const;

/** struct termios of the kernel (not libc's): four words of flags, the line discipline and 19 control characters. */
const TERMIOS_SIZE = 36;

const InputFlag = {
  IGNBRK: 0o1,
  BRKINT: 0o2,
  PARMRK: 0o10,
  ISTRIP: 0o40,
  INLCR: 0o100,
  IGNCR: 0o200,
  ICRNL: 0o400,
  IXON: 0o2000,
};
const OPOST = 0o1;
const ControlFlag = { CSIZE: 0o60, CS8: 0o60, PARENB: 0o400 };
const LocalFlag = { ISIG: 0o1, ICANON: 0o2, ECHO: 0o10, ECHONL: 0o100, IEXTEN: 0o100000 };
const VTIME = 5;
const VMIN = 6;

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

let scratch: Memory | undefined;

function buffer(): Memory {
  scratch ??= allocate(TERMIOS_SIZE);
  return scratch;
}

/** Whether the descriptor is a terminal; isatty(3). */
export function isTerminal(descriptor: number): boolean {
  return systemCall(SystemCall.ioctl, descriptor, TerminalRequest.TCGETS, buffer().address) === 0;
}

/**
 * The attributes of a terminal, as struct termios of the kernel.
 * @throws BunkerError when the descriptor is no terminal
 */
export function readAttributes(descriptor: number): Buffer {
  const { address, buffer: bytes } = buffer();
  check(systemCall(SystemCall.ioctl, descriptor, TerminalRequest.TCGETS, address), "read the terminal's attributes");
  return Buffer.from(bytes);
}

/**
 * Puts a terminal into raw mode: every byte passes unchanged in both directions; cfmakeraw(3).
 * @returns a function that puts back the attributes found, as often as it is called
 * @throws BunkerError when the descriptor is no terminal
 */
export function makeRaw(descriptor: number): () => void {
  const { address, view, buffer: bytes } = buffer();
  const found = readAttributes(descriptor);
  const clear = (offset: number, flags: number) => {
    view.setUint32(offset, view.getUint32(offset, true) & ~flags, true);
  };
  clear(
    0,
    Object.values(InputFlag).reduce((all, flag) => all | flag, 0),
  );
  clear(4, OPOST);
  clear(8, ControlFlag.CSIZE | ControlFlag.PARENB);
  view.setUint32(8, view.getUint32(8, true) | ControlFlag.CS8, true);
  clear(
    12,
    Object.values(LocalFlag).reduce((all, flag) => all | flag, 0),
  );
  bytes[17 + VMIN] = 1;
  bytes[17 + VTIME] = 0;
  check(systemCall(SystemCall.ioctl, descriptor, TerminalRequest.TCSETS, address), "set the terminal to raw mode");
  return () => {
    found.copy(bytes);
    systemCall(SystemCall.ioctl, descriptor, TerminalRequest.TCSETS, address);
  };
}

/** The window size of a terminal, or undefined when the descriptor is none. */
export function windowSize(descriptor: number): WindowSize | undefined {
  const { address, view } = buffer();
  if (systemCall(SystemCall.ioctl, descriptor, TerminalRequest.TIOCGWINSZ, address) !== 0) return undefined;
  return { rows: view.getUint16(0, true), columns: view.getUint16(2, true) };
}

/** The bytes of struct winsize. */
export function windowSizeBytes(size: WindowSize): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(8));
  bytes.writeUInt16LE(size.rows, 0);
  bytes.writeUInt16LE(size.columns, 2);
  return bytes;
}

/** Sets the window size of a terminal (of the master, and thereby of its peer, which gets SIGWINCH). */
export function setWindowSize(descriptor: number, size: WindowSize): void {
  const { address, buffer: bytes } = buffer();
  windowSizeBytes(size).copy(bytes);
  check(systemCall(SystemCall.ioctl, descriptor, TerminalRequest.TIOCSWINSZ, address), "set the window size");
}
