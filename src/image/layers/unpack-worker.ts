/* The thread that unpacks layers; see unpack-thread.ts. In the executable it is an entry point of its own. */
import { compileReadily } from "../../sys/just-in-time.ts";
import type { PackedSource } from "./decompress.ts";
import { type LayerUnpacker, unpackHere } from "./layer-unpacker.ts";
import { failureOf, type UnpackAnswer, type UnpackOrder } from "./unpack-messages.ts";
import { UnpackToolbox } from "./unpack-tools.ts";

declare const self: { onmessage: ((event: MessageEvent<UnpackOrder>) => void) | null };

interface ArrivingLayer {
  readonly source: SharedSource;
  readonly stopped: AbortController;
}

/** Packed bytes that the other thread puts into shared memory. While they are used it is asked for the next ones. */
class SharedSource implements PackedSource {
  readonly #shared: Buffer;
  readonly #ask: () => void;
  #filled = Promise.withResolvers<number>();
  #start = 0;
  #end = 0;
  #isOver = false;

  constructor(shared: SharedArrayBuffer, ask: () => void) {
    this.#shared = Buffer.from(shared);
    this.#ask = ask;
    this.#askForMore();
  }

  filled(length: number): void {
    this.#filled.resolve(length);
  }

  stop(reason: unknown): void {
    this.#filled.reject(reason);
  }

  async read(buffer: Buffer): Promise<number> {
    if (this.#isOver) return 0;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = await this.#filled.promise;
      this.#isOver = this.#end === 0;
      if (this.#isOver) return 0;
    }
    const length = this.#shared.copy(buffer, 0, this.#start, this.#end);
    this.#start += length;
    if (this.#start === this.#end) this.#askForMore();
    return length;
  }

  #askForMore(): void {
    this.#filled = Promise.withResolvers<number>();
    // It may be stopped when nobody waits for bytes.
    this.#filled.promise.catch(() => undefined);
    this.#ask();
  }
}

/** Emptied when all layers are unpacked, or one has failed: a thread's end would leave its processes to be reaped. */
let toolbox: UnpackToolbox | undefined;
const unpackers = new Map<number, LayerUnpacker>();
/** Those of which packed bytes are still wanted. */
const arriving = new Map<number, ArrivingLayer>();
const answer = (message: UnpackAnswer) => postMessage(message);

async function unpack({ layer, target, packed }: UnpackOrder & { kind: "unpack" }): Promise<UnpackAnswer> {
  const source = new SharedSource(packed, () => answer({ kind: "read", layer }));
  const stopped = new AbortController();
  toolbox ??= new UnpackToolbox(target.root);
  const unpacker = unpackHere(target, toolbox);
  arriving.set(layer, { source, stopped });
  unpackers.set(layer, unpacker);
  try {
    await unpacker.unpack(source, stopped.signal);
  } catch (error) {
    toolbox[Symbol.dispose]();
    throw error;
  } finally {
    arriving.delete(layer);
  }
  return { kind: "unpacked", layer };
}

async function finish({ layer, lower }: UnpackOrder & { kind: "finish" }): Promise<UnpackAnswer> {
  const unpacker = unpackers.get(layer);
  if (unpacker === undefined) throw new Error(`layer ${layer} is not here`);
  unpackers.delete(layer);
  try {
    return { kind: "finished", layer, result: await unpacker.finish(lower.map((descriptor) => ({ descriptor }))) };
  } finally {
    toolbox?.[Symbol.dispose]();
  }
}

function execute(order: UnpackOrder): void {
  if (order.kind === "filled") {
    arriving.get(order.layer)?.source.filled(order.length);
  } else if (order.kind === "stop") {
    const layer = arriving.get(order.layer);
    layer?.stopped.abort();
    layer?.source.stop(layer.stopped.signal.reason);
  } else {
    const work = order.kind === "unpack" ? unpack(order) : finish(order);
    work.then(answer, (cause) => answer({ kind: "failed", layer: order.layer, failure: failureOf(cause) }));
  }
}

compileReadily();
self.onmessage = ({ data }) => execute(data);
