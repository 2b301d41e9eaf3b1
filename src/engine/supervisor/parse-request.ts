/* What a supervisor is told, as protocol.ts says. */
import * as v from "valibot";
import {
  addressSchema,
  egressRulesSchema,
  linkMembershipSchema,
  networkConfigurationSchema,
  portBindingSchema,
  shapingRulesSchema,
} from "../network/network-plan-schema.ts";

const superviseSchema = v.object({
  kind: v.literal("supervise"),
  /** Of the container's first process, the supervisor's child. */
  pid: v.number(),
  /** With a terminal its master is the only descriptor; without, the outer ends of output, error and perhaps input. */
  terminal: v.boolean(),
  inputOnce: v.boolean(),
  /** Where its processes are: only in a pid namespace of their own the end of the first is the end of all. */
  pidNamespace: v.picklist(["own", "host", "joined"]),
  stopSignal: v.number(),
  /** Seconds. */
  stopTimeout: v.number(),
  log: v.object({
    driver: v.picklist(["json-file", "local", "journald", "none"]),
    maximumSize: v.optional(v.number()),
    maximumFiles: v.number(),
    compress: v.boolean(),
    /** What the journal is told of the container. */
    journal: v.optional(v.object({ name: v.string(), image: v.string(), tag: v.string() })),
  }),
  /** Whether the command that says this records the container's end itself, should it live so long. */
  isRecordedByCommand: v.boolean(),
  /** For one that may be on networks, at its start or later: what it may reach outside, and how. */
  networks: v.optional(
    v.object({ egress: v.optional(egressRulesSchema()), shaping: v.optional(shapingRulesSchema()) }),
  ),
  /** Milliseconds that the last restart waited; 0 when this is none. */
  restartDelay: v.number(),
  /** Seconds after which the container is killed. */
  runTimeout: v.optional(v.number()),
  /**
   * Milliseconds between health checks; `startInterval` applies during the first `startPeriod` as long as no check has
   * told anything, `startupInterval` as long as a check that comes before them has not succeeded.
   */
  health: v.optional(
    v.object({
      interval: v.number(),
      startInterval: v.number(),
      startPeriod: v.number(),
      startupInterval: v.optional(v.number()),
    }),
  ),
  /** The container's cgroup, if its memory is limited and somebody wants to know when it gets short. */
  memoryGroup: v.optional(v.string()),
  /** Limits to keep the container to by watching it; see soft-limiter.ts. */
  softLimits: v.optional(
    v.object({
      processes: v.optional(v.number()),
      memory: v.optional(v.number()),
      processors: v.optional(v.number()),
    }),
  ),
});

const requestSchema = v.variant("kind", [
  superviseSchema,
  /** A network of the container's, with the file of its device. Answered by `served` if others share it. */
  v.object({
    kind: v.literal("network"),
    configuration: networkConfigurationSchema(),
    /** Of its default routes. */
    metric: v.number(),
    membership: v.optional(linkMembershipSchema()),
  }),
  /** Before `supervise`: the mount namespace of a container among the processes of another one. */
  v.object({ kind: v.literal("mount namespace") }),
  /** Leave a network, by its id. Answered by `left`. */
  v.object({ kind: v.literal("leave"), network: v.string() }),
  /** What the container is called from now on, on the network of an id. */
  v.object({ kind: v.literal("rename"), network: v.string(), names: v.array(v.string()) }),
  /** Whom the network of an id has asked for names of the outside from now on; nobody for the host's resolvers. */
  v.object({ kind: v.literal("resolve"), network: v.string(), resolvers: v.array(addressSchema()) }),
  /** Before `supervise`: ports of the host that lead into the container, with a socket for each. */
  v.object({ kind: v.literal("ports"), bindings: v.array(portBindingSchema()) }),
  /** One descriptor for each letter: where input (i) comes from, where output (o) and error (e) go. */
  v.object({ kind: v.literal("attach"), streams: v.string() }),
  /**
   * Send a signal; `isStop` keeps the restart policy from starting the container again, `isStopCommand` has a `stop` go
   * on record with the end, which Docker has for `stop` and `restart` alone, `isRestart` keeps one of `--rm` from being
   * removed: whoever says it starts it again.
   */
  v.object({
    kind: v.literal("signal"),
    signal: v.number(),
    isStop: v.boolean(),
    isStopCommand: v.optional(v.boolean()),
    isRestart: v.optional(v.boolean()),
  }),
  v.object({ kind: v.literal("resize"), rows: v.number(), columns: v.number() }),
  /** Nobody reads this stream any more; whoever writes to it shall be told so. */
  v.object({ kind: v.literal("close"), stream: v.picklist(["o", "e"]) }),
  /** Answered by `exit`. */
  v.object({ kind: v.literal("wait") }),
  /** What goes over the container's networks. Answered by `flows`, several times if there are many, the last one empty. */
  v.object({ kind: v.literal("flows") }),
  /** Answered by `status`. */
  v.object({ kind: v.literal("status") }),
  /** Keep these terminals of processes that nobody is attached to any more, and throw away what they say. */
  v.object({ kind: v.literal("keep") }),
  /** The end is recorded. */
  v.object({ kind: v.literal("recorded") }),
]);

export type Supervise = Readonly<v.InferOutput<typeof superviseSchema>>;
export type Request = Readonly<v.InferOutput<typeof requestSchema>>;

/** Reads a request; undefined for what is none. */
export function parseRequest(text: string): Request | undefined {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), requestSchema), text);
  return result.success ? result.output : undefined;
}
