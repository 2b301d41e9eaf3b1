import { executePull } from "../../engine/images/pull.ts";
import type { PullRequest } from "../../engine/images/pull-request.ts";
import { compileReadily } from "../../sys/just-in-time.ts";
import { pullOutput } from "./pull-output.ts";

/** Pulls in this process, and says how it goes. */
export async function pullHere(request: PullRequest): Promise<void> {
  compileReadily();
  using output = pullOutput(request);
  await executePull(request, output);
}
