import type { CopyEvent } from "../../image/transport/copy-image.ts";
import { shortId } from "../format/short-id.ts";
import { print } from "../print.ts";
import { LayerProgress } from "./layer-progress.ts";
import { terminalOf } from "./terminal.ts";

/** How it is said what happens to blobs. */
export interface CopyWords {
  /** On a terminal: what is being done to a blob, that it was there, that it is done. */
  readonly moving: string;
  readonly present: string;
  readonly done: string;
  /** Elsewhere: the line for a step; undefined when nothing is said of it, or of any. */
  readonly line?: (event: Exclude<CopyEvent, { readonly kind: "bytes" }>) => string | undefined;
}

/** What is said of the blobs of an image that moves. */
export interface CopyOutput extends Disposable {
  event(event: CopyEvent): void;
  /** Says something else on standard output, where it does not get into the way of progress. */
  print(text: string): void;
}

/**
 * Says what happens to blobs: on a terminal with progress, elsewhere on standard output by one line for each step.
 * @param stream where the terminal may be; standard output unless given
 */
export function copyOutput(
  { moving, present, done, line }: CopyWords,
  stream: NodeJS.WriteStream & { readonly fd: number } = process.stdout,
): CopyOutput {
  if (!stream.isTTY) {
    const event = (event: CopyEvent) => {
      const text = event.kind === "bytes" ? undefined : line?.(event);
      if (text !== undefined) print(text);
    };
    return { event, print, [Symbol.dispose]: () => {} };
  }
  const progress = new LayerProgress(terminalOf(stream), { moving });
  return {
    print: stream === process.stdout ? (text) => progress.print(text) : print,
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
