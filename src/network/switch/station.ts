/* A container on a network that it shares with others, as it makes itself known to them. */
import * as v from "valibot";
import type { HardwareAddress } from "../ethernet.ts";

const word = v.pipe(v.number(), v.integer());

export const stationSchema = v.object({
  /** The same for all runs of a container. */
  id: v.string(),
  /** Another one for each run. */
  run: v.string(),
  /** `02:42:0a:59:00:02`. */
  hardwareAddress: v.string(),
  addresses: v.array(v.pipe(v.tuple([word, word, word, word]), v.readonly())),
  /** In lower case, the one that it is called by first. */
  names: v.array(v.string()),
});

export type Station = Readonly<v.InferOutput<typeof stationSchema>>;

/** Reads a hardware address: six bytes in hexadecimal, between colons or hyphens. */
export function parseHardwareAddress(text: string): Uint8Array | undefined {
  if (!/^[\da-f]{2}([:-][\da-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16));
}

/** The same as numbers; all stations for what is no address. */
export function hardwareAddressOf(text: string): HardwareAddress {
  const bytes = parseHardwareAddress(text) ?? new Uint8Array(6).fill(0xff);
  const view = new DataView(bytes.buffer);
  return { high: view.getUint16(0), low: view.getUint32(2) };
}
