import type { CopyEvent } from "../../image/transport/copy-image.ts";
import type { Manifest } from "../../image/transport/transport.ts";
import { shortId } from "../format/short-id.ts";
import { print } from "../print.ts";
import { type CopyOutput, type CopyWords, copyOutput } from "../progress/copy-output.ts";

/** The media types of configurations, of which nothing is said. */
const CONFIGURATION = /\.(?:config|container\.image)\.v1\+json$/;

/** What is said of a push. */
export interface PushOutput extends Disposable {
  /** One image begins; the repository's full name. */
  begin(repository: string): void;
  event(event: CopyEvent): void;
  /** It is there, under a tag or by its digest. */
  end(tag: string | undefined, root: Manifest): void;
}

/** What `docker push` says: of each layer a line for each step, on a terminal with progress. */
export function pushOutput(isQuiet: boolean): PushOutput {
  if (isQuiet) return { begin: () => {}, event: () => {}, end: () => {}, [Symbol.dispose]: () => {} };
  const shown = { begin: "Preparing", present: "Layer already exists", end: "Pushed" } as const;
  const words: CopyWords = {
    moving: "Pushing",
    present: shown.present,
    done: shown.end,
    line: ({ kind, blob }) => `${shortId(blob.digest)}: ${shown[kind]}`,
  };
  let output: CopyOutput | undefined;
  const close = () => {
    output?.[Symbol.dispose]();
    output = undefined;
  };
  return {
    begin: (repository) => print(`The push refers to repository [${repository}]`),
    event: (event) => {
      if (CONFIGURATION.test(event.blob.mediaType)) return;
      output ??= copyOutput(words);
      output.event(event);
    },
    end: (tag, { digest, bytes }) => {
      close();
      print(`${tag === undefined ? "" : `${tag}: `}digest: ${digest} size: ${bytes.length}`);
    },
    [Symbol.dispose]: close,
  };
}
