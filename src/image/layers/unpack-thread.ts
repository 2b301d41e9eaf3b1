/*
 * Unpacking on another thread.
 *
 *   this thread: receive or read packed bytes, hash them ──shared memory──▶ a thread of Bun's pool: decompress
 *                       ──▶ the other thread: hash the archive, read it ──▶ a process without JavaScript: make files
 *
 * On one thread hashing and reading archives take half of a pull, and nothing else can be done meanwhile. The other
 * thread is a Worker with the same code. Descriptors and the umask belong to the process, so it is given the numbers of
 * descriptors; user and namespaces are those of the thread that starts it. The packed bytes go through a piece of
 * shared memory for each layer: the worker says that it may be filled, this thread fills it, and while that happens the
 * worker is at work on what it copied out before.
 *
 * Nothing is running in the worker any more when the promises of its layers have settled; only then it may be disposed of.
 */
import type { PackedSource } from "./decompress.ts";
import type { LowerLayer } from "./implicit-directory.ts";
import type { LayerUnpacker, UnpackedLayer, UnpackTarget } from "./layer-unpacker.ts";
import { errorOf, type UnpackAnswer, type UnpackOrder } from "./unpack-messages.ts";

const SHARED_SIZE = 256 << 10;

// An executable has its entry points under their paths from src/ on.
const WORKER = Bun.main.startsWith("/$bunfs/")
  ? "/$bunfs/root/image/layers/unpack-worker.js"
  : new URL("unpack-worker.ts", import.meta.url).href;

/** A thread that unpacks layers. */
export class UnpackThread implements Disposable {
  readonly #worker = new Worker(WORKER);
  readonly #layers: RemoteLayer[] = [];

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<UnpackAnswer>) => this.#layers[data.layer]?.receive(data);
    this.#worker.onerror = ({ message }) => {
      for (const layer of this.#layers) layer.fail(new Error(`the thread that unpacks has failed: ${message}`));
    };
  }

  /** Prepares to unpack a layer there. */
  unpacker(target: UnpackTarget): LayerUnpacker {
    const layer = new RemoteLayer(this.#layers.length, target, (order) => this.#worker.postMessage(order));
    this.#layers.push(layer);
    return layer;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

class RemoteLayer implements LayerUnpacker {
  readonly #layer: number;
  readonly #target: UnpackTarget;
  readonly #send: (order: UnpackOrder) => void;
  #fill: (() => Promise<void>) | undefined;
  #reading: Promise<void> | undefined;
  #sourceFailure: { readonly cause: unknown } | undefined;
  /** What the answer to the latest order is waited for by. */
  #answer = Promise.withResolvers<UnpackedLayer | undefined>();

  constructor(layer: number, target: UnpackTarget, send: (order: UnpackOrder) => void) {
    this.#layer = layer;
    this.#target = target;
    this.#send = send;
  }

  async unpack(source: PackedSource, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const packed = new SharedArrayBuffer(SHARED_SIZE);
    this.#fill = () => this.#fillFrom(source, Buffer.from(packed));
    const stop = () => this.#send({ kind: "stop", layer: this.#layer });
    signal.addEventListener("abort", stop);
    try {
      await this.#ask({ kind: "unpack", layer: this.#layer, target: this.#target, packed });
      signal.throwIfAborted();
    } catch (error) {
      if (this.#sourceFailure !== undefined) throw this.#sourceFailure.cause;
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      // Its owner closes the source next.
      await this.#reading;
      this.#fill = undefined;
    }
  }

  async finish(lower: readonly LowerLayer[]): Promise<UnpackedLayer> {
    const descriptors = lower.map(({ descriptor }) => descriptor);
    const result = await this.#ask({ kind: "finish", layer: this.#layer, lower: descriptors });
    if (result === undefined) throw new Error("a layer was finished without a result");
    return result;
  }

  /** What is there is known to the other thread alone. */
  lacks(): boolean {
    return false;
  }

  receive(answer: UnpackAnswer): void {
    if (answer.kind === "read") this.#reading = this.#fill?.();
    else if (answer.kind === "failed") this.fail(errorOf(answer.failure));
    else this.#answer.resolve(answer.kind === "finished" ? answer.result : undefined);
  }

  fail(error: Error): void {
    this.#answer.reject(error);
  }

  #ask(order: UnpackOrder): Promise<UnpackedLayer | undefined> {
    this.#answer = Promise.withResolvers<UnpackedLayer | undefined>();
    this.#send(order);
    return this.#answer.promise;
  }

  async #fillFrom(source: PackedSource, packed: Buffer): Promise<void> {
    try {
      this.#send({ kind: "filled", layer: this.#layer, length: await source.read(packed) });
    } catch (cause) {
      this.#sourceFailure = { cause };
      this.#send({ kind: "stop", layer: this.#layer });
    }
  }
}
