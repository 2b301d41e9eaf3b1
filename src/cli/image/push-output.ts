import type { CopyEvent } from "../../image/transport/copy-image.ts";
import type { Manifest } from "../../image/transport/transport.ts";
import { shortId } from "../format/short-id.ts";

/** The media types of configurations, of which nothing is said. */
const CONFIGURATION = /\.(?:config|container\.image)\.v1\+json$/;

/** What is said of a push. */
export interface PushOutput {
  /** One image begins; the repository's full name. */
  begin(repository: string): void;
  event(event: CopyEvent): void;
  /** It is there, under a tag or by its digest. */
  end(tag: string | undefined, root: Manifest): void;
}

/** What `docker push` says without a terminal: one line for each step of each layer. */
export function pushOutput(isQuiet: boolean): PushOutput {
  if (isQuiet) return { begin: () => {}, event: () => {}, end: () => {} };
  const shown = { begin: "Preparing", present: "Layer already exists", end: "Pushed" } as const;
  return {
    begin: (repository) => console.log(`The push refers to repository [${repository}]`),
    event: (event) => {
      if (event.kind !== "bytes" && !CONFIGURATION.test(event.blob.mediaType))
        console.log(`${shortId(event.blob.digest)}: ${shown[event.kind]}`);
    },
    end: (tag, { digest, bytes }) =>
      console.log(`${tag === undefined ? "" : `${tag}: `}digest: ${digest} size: ${bytes.length}`),
  };
}
