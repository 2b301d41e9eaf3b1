/* What a supervisor answers, as protocol.ts says. */
import * as v from "valibot";
import { addressSchema } from "../network/network-plan-schema.ts";

const exitSchema = v.object({
  kind: v.literal("exit"),
  exitStatus: v.number(),
  /** Whether somebody asked for it. */
  isStopped: v.boolean(),
  /** Whether that was by `stop` or `restart`. */
  isStopCommand: v.optional(v.boolean()),
  /** Whether whoever asked for it starts the container again. */
  isRestart: v.boolean(),
  /** Whether the supervisor was told to end, by a logout or shutdown. */
  isShutDown: v.boolean(),
  /** Whether the supervisor has killed a process of the container's for its memory. */
  isOutOfMemory: v.optional(v.boolean()),
  /** What of the output could not be logged. */
  lostBytes: v.number(),
  lostErrno: v.optional(v.number()),
});

const endpointSchema = v.object({ address: addressSchema(), port: v.number() });

/** network/flow-summary.ts. */
const flowSchema = v.object({
  protocol: v.picklist(["tcp", "udp", "icmp"]),
  inside: endpointSchema,
  outside: endpointSchema,
  sent: v.number(),
  received: v.number(),
  state: v.string(),
  name: v.optional(v.string()),
});

const answerSchema = v.variant("kind", [
  exitSchema,
  v.object({ kind: v.literal("attached") }),
  /** The supervisor ends, and the container with it, because of an error of its own. */
  v.object({ kind: v.literal("failed"), reason: v.string() }),
  /** A network can be used, or what keeps it from that. */
  v.object({ kind: v.literal("served"), error: v.optional(v.string()) }),
  v.object({ kind: v.literal("left") }),
  v.object({ kind: v.literal("flows"), flows: v.array(flowSchema) }),
  v.object({ kind: v.literal("status"), lostBytes: v.number(), lostErrno: v.optional(v.number()) }),
]);

export type Exit = Readonly<v.InferOutput<typeof exitSchema>>;
export type Answer = Readonly<v.InferOutput<typeof answerSchema>>;

/** Reads an answer; undefined for what is none. */
export function parseAnswer(text: string): Answer | undefined {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), answerSchema), text);
  return result.success ? result.output : undefined;
}
