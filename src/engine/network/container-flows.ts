import type { FlowSummary } from "../../network/flow-summary.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { nextAnswer, tell } from "../supervisor/connect.ts";

/**
 * Asks a supervisor what goes over its container's networks.
 * @returns undefined when it has gone
 */
export function containerFlows(supervisor: FileDescriptor): FlowSummary[] | undefined {
  if (!tell(supervisor, { kind: "flows" })) return undefined;
  const flows: FlowSummary[] = [];
  for (;;) {
    const answer = nextAnswer(supervisor);
    if (answer === undefined) return undefined;
    if (answer.kind !== "flows") continue;
    if (answer.flows.length === 0) return flows;
    flows.push(...answer.flows.map((flow) => ({ ...flow, name: flow.name })));
  }
}
