import type { CopyEvent } from "../../image/transport/copy-image.ts";
import { shortId } from "../format/short-id.ts";
import { LayerProgress } from "./layer-progress.ts";
import { terminalOf } from "./terminal.ts";

/** How it is said what happens to blobs. */
export interface CopyWords {
  /** On a terminal: what is being done to a blob, that it was there, that it is done. */
  readonly moving: string;
  readonly present: string;
  readonly done: string;
  /** Elsewhere: the line for a step; undefined when nothing is said of it. */
  readonly line: (event: Exclude<CopyEvent, { readonly kind: "bytes" }>) => string | undefined;
}

/** What is said of the blobs of an image that moves. */
export interface CopyOutput extends Disposable {
  event(event: CopyEvent): void;
}

/** Says on standard output what happens to blobs: on a terminal with progress, elsewhere one line for each step. */
export function copyOutput({ moving, present, done, line }: CopyWords): CopyOutput {
  if (!process.stdout.isTTY) {
    const event = (event: CopyEvent) => {
      const text = event.kind === "bytes" ? undefined : line(event);
      if (text !== undefined) console.log(text);
    };
    return { event, [Symbol.dispose]: () => {} };
  }
  const progress = new LayerProgress(terminalOf(process.stdout), { moving });
  return {
    event(event) {
      const id = shortId(event.blob.digest);
      if (event.kind === "begin") progress.add(id, event.blob.size);
      else if (event.kind === "bytes") progress.receive(id, event.bytes);
      else if (event.kind === "present") progress.print(`${id}: ${present}`);
      else progress.finish(id, done);
    },
    [Symbol.dispose]: () => progress[Symbol.dispose](),
  };
}
