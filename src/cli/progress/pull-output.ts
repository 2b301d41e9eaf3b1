import type { PullObserver } from "../../engine/images/pull.ts";
import type { PullRequest } from "../../engine/images/pull-request.ts";
import { type Digest, splitDigest } from "../../image/digest.ts";
import { withDefaultTag } from "../../image/reference.ts";
import { isTerminal } from "../../sys/terminal.ts";
import { warning } from "../messages.ts";
import { LayerProgress } from "./layer-progress.ts";
import { terminalOf, writeWhole } from "./terminal.ts";

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;

/**
 * What `docker pull` says: which image, what happens to each layer, its digest, and whether anything was new. On a
 * terminal with progress, elsewhere one line for each step.
 */
export function pullOutput({ output, stream }: PullRequest): PullObserver & Disposable {
  const descriptor = stream === "stdout" ? STANDARD_OUTPUT : STANDARD_ERROR;
  const write = (text: string) => writeWhole(descriptor, text);
  const showsSteps = output === "steps";
  let progress: LayerProgress | undefined;
  const say = (line: string) => (progress === undefined ? write(`${line}\n`) : progress.print(line));
  const seen = new Map<Digest, "exists" | "receiving" | "downloaded">();
  const close = () => {
    progress?.[Symbol.dispose]();
    progress = undefined;
  };
  return {
    begin(reference) {
      if (!showsSteps) return;
      if (reference.tag === undefined && reference.digest === undefined) write("Using default tag: latest\n");
      const { tag, digest } = withDefaultTag(reference);
      write(`${digest ?? tag}: Pulling from ${reference.repository}\n`);
    },
    layers(layers) {
      if (!showsSteps) return;
      // What is damaged in the store begins once more.
      close();
      seen.clear();
      // The objects for streams bring all of Node's streams with them.
      if (isTerminal(descriptor)) {
        progress = new LayerProgress(terminalOf(stream === "stdout" ? process.stdout : process.stderr));
      }
      for (const { digest, size } of new Map(layers.map((layer) => [layer.digest, layer])).values()) {
        if (progress === undefined) write(`${shortDigest(digest)}: Pulling fs layer\n`);
        else progress.add(shortDigest(digest), size);
      }
    },
    event(event) {
      if (!showsSteps) return;
      const id = shortDigest(event.digest);
      if (event.kind === "bytes") {
        seen.set(event.digest, "receiving");
        progress?.receive(id, event.bytes);
      } else if (event.kind === "downloaded") {
        seen.set(event.digest, "downloaded");
        if (progress === undefined) write(`${id}: Download complete\n`);
        else progress.extract(id);
      } else if (event.kind === "unpacked") {
        const wasThere = seen.get(event.digest) !== "downloaded";
        const message = wasThere ? "Already exists" : "Pull complete";
        if (progress === undefined) write(`${id}: ${message}\n`);
        else progress.finish(id, message);
      }
    },
    end({ familiar, full }, { target, wasThere }) {
      close();
      if (showsSteps) {
        write(`Digest: ${target.digest}\n`);
        write(`Status: ${wasThere ? "Image is up to date for" : "Downloaded newer image for"} ${familiar}\n`);
      }
      // Standard output has the name for programs; with `run` it is the container's.
      if (output !== "none" && stream === "stdout") write(`${full}\n`);
    },
    warn(message) {
      if (progress === undefined) warning(message);
      else say(`warning: ${message}`);
    },
    [Symbol.dispose]: close,
  };
}

function shortDigest(digest: Digest): string {
  return splitDigest(digest).hex.slice(0, 12);
}
