/** A call as a filter sees it: struct seccomp_data without the instruction pointer. */
export interface Call {
  readonly audit: number;
  readonly number: number;
  /** Six unsigned 64-bit values. */
  readonly args: readonly bigint[];
}

/** What a filter returned, and how many instructions it took. */
export interface Outcome {
  readonly result: number;
  readonly steps: number;
}

function dataOf(call: Call): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.audit, true);
  for (let index = 0; index < 6; index++) data.setBigUint64(16 + 8 * index, call.args[index] ?? 0n, true);
  return data;
}

/** Runs a filter as the kernel would; fails on anything that the kernel's checker refuses. */
export function simulate(program: Uint8Array, call: Call): Outcome {
  const code = new DataView(program.buffer, program.byteOffset, program.length);
  const data = dataOf(call);
  let accumulator = 0;
  let position = 0;
  for (let steps = 1; ; steps++) {
    const at = position * 8;
    if (at >= code.byteLength) throw new Error(`jump beyond the end, to ${position}`);
    const opcode = code.getUint16(at, true);
    const whenTrue = code.getUint8(at + 2);
    const whenFalse = code.getUint8(at + 3);
    const constant = code.getUint32(at + 4, true);
    position++;
    if (opcode === 0x20) {
      if (constant % 4 !== 0 || constant >= 64) throw new Error(`load at ${constant}`);
      accumulator = data.getUint32(constant, true);
    } else if (opcode === 0x54) accumulator = (accumulator & constant) >>> 0;
    else if (opcode === 0x05) position += constant;
    else if (opcode === 0x15) position += accumulator === constant ? whenTrue : whenFalse;
    else if (opcode === 0x25) position += accumulator > constant ? whenTrue : whenFalse;
    else if (opcode === 0x35) position += accumulator >= constant ? whenTrue : whenFalse;
    else if (opcode === 0x06) return { result: constant, steps };
    else throw new Error(`unexpected opcode ${opcode.toString(16)}`);
  }
}
