/* Small ELF files to try on what the build does to the executable. */

export const READ = 4;
export const WRITE = 2;
export const EXECUTE = 1;
export const LOAD = 1;
export const STACK = 0x6474e551;
const LINKED_TO_ADDRESS = 2;
export const HEADERS = 64;
export const SECTIONS = 0x380;

export interface Part {
  readonly type?: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize?: number;
}

export const CONSTANTS: Part = { flags: READ, offset: 0, address: 0x400000, fileSize: 0x1000 };
export const CODE: Part = { flags: READ | EXECUTE, offset: 0x1100, address: 0x402100, fileSize: 0x300 };
export const DATA: Part = {
  flags: READ | WRITE,
  offset: 0x1400,
  address: 0x403400,
  fileSize: 0x200,
  memorySize: 0x900,
};

/** An ELF file with these segments, and one section that is in no segment; every 4 bytes tell where they stand. */
export function elfWith(parts: readonly Part[], machine = 62): Buffer {
  const file = Buffer.alloc(0x1800);
  for (let at = 0x400; at < file.length; at += 4) file.writeUInt32LE(at, at);
  file.write("\x7fELF\x02\x01", "latin1");
  file.writeUInt16LE(LINKED_TO_ADDRESS, 16);
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(BigInt(HEADERS), 32);
  file.writeBigUInt64LE(BigInt(SECTIONS), 40);
  file.writeUInt16LE(parts.length, 56);
  file.writeUInt16LE(1, 60);
  for (const [index, part] of parts.entries()) {
    const header = HEADERS + 56 * index;
    file.writeUInt32LE(part.type ?? LOAD, header);
    file.writeUInt32LE(part.flags, header + 4);
    file.writeBigUInt64LE(BigInt(part.offset), header + 8);
    file.writeBigUInt64LE(BigInt(part.address), header + 16);
    file.writeBigUInt64LE(BigInt(part.fileSize), header + 32);
    file.writeBigUInt64LE(BigInt(part.memorySize ?? part.fileSize), header + 40);
    file.writeBigUInt64LE(0x1000n, header + 48);
  }
  file.writeBigUInt64LE(0x1700n, SECTIONS + 24);
  return file;
}

/** The headers of the segments that a file has, without those that are unused. */
export function partsOf(file: Buffer): readonly (Part & { readonly alignment: number })[] {
  const number = (at: number) => Number(file.readBigUInt64LE(at));
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => HEADERS + 56 * index)
    .filter((header) => file.readUInt32LE(header) !== 0)
    .map((header) => ({
      type: file.readUInt32LE(header),
      flags: file.readUInt32LE(header + 4),
      offset: number(header + 8),
      address: number(header + 16),
      fileSize: number(header + 32),
      memorySize: number(header + 40),
      alignment: number(header + 48),
    }));
}
