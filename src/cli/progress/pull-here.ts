import { executePull } from "../../engine/images/pull.ts";
import type { PullRequest } from "../../engine/images/pull-request.ts";
import type { RootNamespace } from "../../runtime/root-namespace.ts";
import { compileReadily } from "../../sys/just-in-time.ts";
import { pullOutput } from "./pull-output.ts";

/**
 * Pulls in this process, and says how it goes.
 * @param root as `executePull` takes it
 */
export async function pullHere(request: PullRequest, root?: () => RootNamespace): Promise<void> {
  compileReadily();
  using output = pullOutput(request);
  await executePull(request, output, undefined, root);
}
