/*
 * Bun notes the attributes of a terminal that it finds as a standard stream, and puts them back at its end: also when they
 * are others' by then, such as those of a program in the foreground when a command ends in the background, or of an engine
 * that has called the runtime. What Bunker itself changes of a terminal it puts back itself (launch/terminal-guard.ts). So
 * what of the streams is a terminal is closed before.
 */
import { Errno } from "./errno.ts";
import { close, ioctl } from "./own-system-calls.ts";

const TCGETS = 0x5401;

/** Closes the standard streams that are terminals; ioctl_tty(2). */
export function leaveTerminals(call: (number: number, ...words: readonly number[]) => number): void {
  for (const stream of [0, 1, 2]) {
    // What is none says so before it looks where its attributes are to be put.
    if (call(ioctl, stream, TCGETS, 0) === -Errno.EFAULT) call(close, stream);
  }
}
