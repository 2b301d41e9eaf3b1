import { CFunction, FFIType, type Pointer } from "bun:ffi";
import { makeExecutable, mapMemory } from "./system-call.ts";

/**
 * Makes machine code that Bunker has emitted callable.
 * @param code in base64, of this machine's architecture: a C function of up to three 64-bit integers, which is not
 *   called with others than below 2^53 and does not return others
 */
export function machineFunction(code: string): (a: number, b?: number, c?: number) => number {
  const page = mapMemory((code.length / 4) * 3, "private");
  page.bytes.setFromBase64(code);
  // On arm64 this is also where the kernel makes the instruction cache see the page.
  makeExecutable(page);
  const argument = FFIType.i64_fast;
  const call = CFunction({ ptr: page.address as Pointer, args: [argument, argument, argument], returns: argument });
  return (a, b = 0, c = 0) => Number(call(a, b, c));
}
