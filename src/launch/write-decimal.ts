import type { Slot } from "./operation.ts";
import type { LaunchProgram } from "./program.ts";

const ZERO = "0".charCodeAt(0);
const POWERS_OF_TEN = [1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1];
/** Bytes that `writeDecimal` may write to. */
export const DECIMAL_SIZE = POWERS_OF_TEN.length + 3;

/**
 * Makes the program write a number as decimal text that NUL ends, such as a process's own id, which only it can know.
 * @param value from 1 to 2^32 - 1; it is 0 afterwards
 * @param address of DECIMAL_SIZE bytes
 */
export function writeDecimal(program: LaunchProgram, value: Slot, address: number): void {
  const digit = program.slot("digit");
  const end = program.slot("end of text");
  program.set(end, address);
  const rows = POWERS_OF_TEN.map((power) => [power, -power] as const);
  program.forEach(["power of ten", "less"], rows, (power, negative) => {
    const subtract = program.label("subtract");
    const write = program.label("write");
    const counted = program.label("counted");
    const done = program.label("done");
    program.set(digit, ZERO);
    program.place(subtract);
    program.branch(value, "less", power, counted);
    program.add(value, value, negative);
    program.add(digit, digit, 1);
    program.jump(subtract);
    program.place(counted);
    program.branch(digit, "not equal", ZERO, write);
    program.branch(end, "equal", address, done);
    program.place(write);
    // The three bytes behind the digit are NUL.
    program.store32(digit, end);
    program.add(end, end, 1);
    program.place(done);
  });
  program.release(digit);
  program.release(end);
}
