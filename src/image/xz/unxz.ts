/*
 * Decompression of xz, which neither Bun nor the kernel's interface has. For archives that people still keep in this form;
 * layers are never compressed so. The .xz file format 1.2.1, and LZMA2 (lzma2-decoder.ts).
 *
 * A file is streams, each with a header, blocks, an index of them, and a footer; between them may be zeros. A block's data
 * is LZMA2, and has a checksum behind it. Before LZMA2, up to three filters may have made it easier to compress.
 */
import { branchFilter } from "./branch-filters.ts";
import { ByteReader } from "./byte-reader.ts";
import { startChecksum } from "./checksum.ts";
import { DamagedXz } from "./damaged-xz.ts";
import { DeltaFilter } from "./delta-filter.ts";
import type { Filter } from "./filter.ts";
import { Lzma2Decoder } from "./lzma2-decoder.ts";

/** As much as `xz -9` asks for twice over; a larger dictionary is an attack on memory. */
const LARGEST_DICTIONARY = 128 << 20;
const DELTA = 0x03;
const LZMA2 = 0x21;
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/**
 * Decompresses xz.
 * @throws DamagedXz, and what the source throws
 */
export async function* unxz(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const input = new ByteReader(source);
  let isFirst = true;
  while (await skipPadding(input, isFirst)) {
    isFirst = false;
    yield* decodeStream(input);
  }
}

/** Goes to the next stream; false at the end. */
async function skipPadding(input: ByteReader, isFirst: boolean): Promise<boolean> {
  for (;;) {
    const next = await input.peek(4);
    if (next.length === 0 && !isFirst) return false;
    if (isFirst || next.length < 4 || next.readUInt32LE(0) !== 0) return true;
    await input.take(4);
  }
}

/** What the index has to say of a block. */
interface BlockRecord {
  readonly unpadded: number;
  readonly uncompressed: number;
}

async function* decodeStream(input: ByteReader): AsyncGenerator<Buffer, void, undefined> {
  const header = Buffer.from(await input.take(12));
  if (header.toString("latin1", 0, 6) !== "\xfd7zXZ\0") throw new DamagedXz("no header of a stream");
  const check = header[7] ?? 0;
  if (header[6] !== 0 || check > 15) throw new DamagedXz("the stream has flags that are not known");
  if (Bun.hash.crc32(header.subarray(6, 8)) !== header.readUInt32LE(8)) throw new DamagedXz("the header is damaged");
  const records: BlockRecord[] = [];
  for (;;) {
    const [size = 0] = await input.peek(1);
    if (size === 0) break;
    records.push(yield* decodeBlock(input, check));
  }
  const indexSize = await checkIndex(input, records);
  const footer = await input.take(12);
  const isWhole =
    footer.toString("latin1", 10) === "YZ" &&
    Bun.hash.crc32(footer.subarray(4, 10)) === footer.readUInt32LE(0) &&
    (footer.readUInt32LE(4) + 1) * 4 === indexSize &&
    footer.readUInt16BE(8) === check;
  if (!isWhole) throw new DamagedXz("the end of the stream is damaged");
}

async function checkIndex(input: ByteReader, records: readonly BlockRecord[]): Promise<number> {
  const start = input.count;
  await input.byte();
  let isSame = (await input.number()) === records.length;
  for (const { unpadded, uncompressed } of isSame ? records : []) {
    isSame &&= (await input.number()) === unpadded && (await input.number()) === uncompressed;
  }
  if (!isSame) throw new DamagedXz("the index does not belong to the blocks");
  await input.take((4 - ((input.count - start) % 4)) % 4);
  await input.take(4);
  return input.count - start;
}

async function* decodeBlock(input: ByteReader, check: number): AsyncGenerator<Buffer, BlockRecord, undefined> {
  const start = input.count;
  const { dictionarySize, filters } = await readBlockHeader(input);
  const checksum = startChecksum(check);
  const decoder = new Lzma2Decoder(dictionarySize);
  let uncompressed = 0;
  for (let isEnd = false; !isEnd; ) {
    const chunk = await decoder.nextChunk(input);
    isEnd = chunk === undefined;
    const output = unfilter(filters, chunk);
    uncompressed += output.length;
    checksum.update(output);
    if (output.length > 0) yield output;
  }
  const dataEnd = input.count;
  const padding = await input.take((4 - ((dataEnd - start) % 4)) % 4);
  if (padding.some((byte) => byte !== 0)) throw new DamagedXz("there are bytes between a block and its checksum");
  const size = CHECK_SIZES[check] ?? 0;
  if (!checksum.isRight(await input.take(size))) throw new DamagedXz("a block has another checksum than it says");
  return { unpadded: dataEnd - start + size, uncompressed };
}

/**
 * Undoes filters.
 * @param filters from the last one to the first
 * @param chunk undefined at the end, for what they keep back
 */
function unfilter(filters: readonly Filter[], chunk: Buffer | undefined): Buffer {
  let output = chunk ?? Buffer.alloc(0);
  for (const filter of filters) {
    const done = filter.update(output);
    output = chunk === undefined ? Buffer.concat([done, filter.finish()]) : done;
  }
  return output;
}

interface BlockHeader {
  readonly dictionarySize: number;
  /** Those before LZMA2, from the last one to the first: the order in which they are undone. */
  readonly filters: readonly Filter[];
}

async function readBlockHeader(input: ByteReader): Promise<BlockHeader> {
  const [first = 0] = await input.peek(1);
  const size = (first + 1) * 4;
  const header = Buffer.from(await input.take(size));
  if (Bun.hash.crc32(header.subarray(0, size - 4)) !== header.readUInt32LE(size - 4)) {
    throw new DamagedXz("the header of a block is damaged");
  }
  const flags = header[1] ?? 0;
  if ((flags & 0x3c) !== 0) throw new DamagedXz("a block has flags that are not known");
  const fields = new ByteReader(one(header.subarray(2, size - 4)));
  if ((flags & 0x40) !== 0) await fields.number();
  if ((flags & 0x80) !== 0) await fields.number();
  const filters: Filter[] = [];
  for (let left = flags & 3; left > 0; left--) {
    const number = await fields.number();
    const properties = Buffer.from(await fields.take(await fields.number()));
    filters.unshift(filterOf(number, properties));
  }
  return { dictionarySize: await readDictionarySize(fields), filters };
}

function filterOf(number: number, properties: Buffer): Filter {
  const filter = number === DELTA ? new DeltaFilter(properties) : branchFilter(number, properties);
  if (filter === undefined) throw new DamagedXz("a block uses a filter that is not known");
  return filter;
}

async function readDictionarySize(fields: ByteReader): Promise<number> {
  const [filter, propertySize] = [await fields.number(), await fields.number()];
  const bits = await fields.byte();
  if (filter !== LZMA2 || propertySize !== 1 || bits > 40) {
    throw new DamagedXz("a block is not compressed with LZMA2");
  }
  const dictionarySize = bits === 40 ? 0xffffffff : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  if (dictionarySize > LARGEST_DICTIONARY) throw new DamagedXz("it asks for a dictionary of more than 128 MiB");
  return dictionarySize;
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}
