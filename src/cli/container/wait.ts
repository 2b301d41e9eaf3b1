import { afterLoss } from "../../engine/lifecycle/after-loss.ts";
import { foundAgain, lookUpContainer } from "../../engine/lifecycle/find-container.ts";
import { notRunning } from "../../engine/lifecycle/not-running.ts";
import { supervisorOf } from "../../engine/lifecycle/stop-container.ts";
import { isHeld } from "../../engine/state/container-directory.ts";
import type { Container } from "../../engine/state/containers.ts";
import { waitForEnd } from "../../engine/supervisor/connect.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { InvalidValue } from "../invalid-value.ts";
import { flag, list, single } from "../option.ts";
import { print } from "../print.ts";
import { oneOf } from "../values/choice.ts";
import { parseDuration } from "../values/duration.ts";
import { type ContainerWork, eachContainer } from "./each-container.ts";
import { latestOption } from "./latest-option.ts";
import { meantContainers } from "./meant-containers.ts";

/** What Podman prints when what was waited for is no end. */
const NO_EXIT_STATUS = "-1";

const CONDITIONS = [
  "configured",
  "created",
  "exited",
  "healthy",
  "paused",
  "removing",
  "restarting",
  "running",
  "stopped",
  "unhealthy",
] as const;

/** States of Podman's that no container of Bunker's is ever in: nobody would see the end of the wait. */
const NEVER_MET = ["initialized", "stopping"];

type Condition = (typeof CONDITIONS)[number];

/** Conditions that whoever looks now and then may find to be over, with the container gone. */
const MET_BY_REMOVAL: readonly Condition[] = ["removing", "exited", "stopped"];

/** Conditions that only the checks of a running container can bring about. */
const MET_BY_CHECKS: readonly Condition[] = ["healthy", "unhealthy"];

/** Milliseconds in which `restart` takes a container in hand that it has stopped. */
const RESTART_PATIENCE = 2000;

/** `bunker wait`. */
export const wait = defineCommand(
  {
    options: {
      latest: latestOption,
      conditions: list({
        name: "condition",
        valueName: "STATE",
        description: `Wait for any of ${CONDITIONS.join(", ")}, instead of its end`,
        parse: parseCondition,
      }),
      ignore: flag({ name: "ignore", description: "No error if a container is not there; its line is -1" }),
      interval: single({
        name: "interval",
        short: "i",
        valueName: "DURATION",
        description: "Time between two looks at a condition; milliseconds without a unit",
        parse: parseInterval,
        initial: 250,
        initialText: "250ms",
      }),
    },
    isBrief: true,
    leave: leaveMemory,
    required: [],
    optional: "[CONTAINER...]",
  },
  ({ options: { conditions, ignore, interval, latest }, operands }) =>
    eachContainer(
      meantContainers("bunker wait", operands, { latest }),
      async (one) => {
        const isForEnd = conditions.every((condition) => condition === "stopped" || condition === "exited");
        return isForEnd ? awaitEnd(one) : await awaitCondition(one, new Set(conditions), interval);
      },
      ignore ? () => print(NO_EXIT_STATUS) : "failure",
    ),
);

function parseCondition(text: string): Condition {
  if (NEVER_MET.includes(text)) throw new InvalidValue("containers of Bunker are never seen in this state");
  return oneOf(...CONDITIONS)(text);
}

function parseInterval(text: string): number {
  const milliseconds = /^\d+$/.test(text) ? Number(text) : parseDuration(text);
  if (milliseconds === 0) throw new InvalidValue("expected more than 0");
  return milliseconds;
}

/** @throws BunkerError `no_such_container` when it was removed, and nobody has told of its end */
function awaitEnd({ database, data, container }: ContainerWork): string {
  const { id, name } = container;
  using socket = supervisorOf(database, data, id);
  const end = socket === undefined ? undefined : waitForEnd(socket);
  if (end !== undefined) return String(end.exitStatus);
  const left = socket === undefined ? lookUpContainer(database, data, id) : afterLoss(database, data, container);
  if (left !== undefined) return String(left.exitStatus ?? 0);
  throw new BunkerError({
    code: "no_such_container",
    operation: "wait for container",
    object: name,
    reason: "it is removed, and nobody is left who knows how it ended",
    exitStatus: 1,
  });
}

/**
 * @throws BunkerError `container_not_running` when only its health was waited for, and it has ended: one that its
 * restart policy starts again is restarting meanwhile
 */
async function awaitCondition(
  { database, data, container }: ContainerWork,
  conditions: ReadonlySet<Condition>,
  interval: number,
): Promise<string> {
  const isMetByChecks = [...conditions].every((condition) => MET_BY_CHECKS.includes(condition));
  const isMetByRemoval = MET_BY_REMOVAL.some((condition) => conditions.has(condition));
  for (;;) {
    const now = isMetByRemoval ? lookUpContainer(database, data, container.id) : foundAgain(database, data, container);
    if (now === undefined) return NO_EXIT_STATUS;
    const met = conditionsOf(now).filter((condition) => conditions.has(condition));
    if (met.length > 0) return met.includes("exited") ? String(now.exitStatus ?? 0) : NO_EXIT_STATUS;
    if (isMetByChecks && hasEndedForGood(data, now)) {
      throw notRunning("wait for the health of container", now);
    }
    await Bun.sleep(interval);
  }
}

/** Whether nobody is going to check a container. Between the two halves of `restart` it has ended, too. */
function hasEndedForGood(data: string, { id, status, finished = 0 }: Container): boolean {
  if (status !== "exited" && status !== "dead") return false;
  return Date.now() - finished > RESTART_PATIENCE && !isHeld(data, id);
}

/** The conditions that a status meets. */
function conditionsOfStatus(status: Container["status"]): readonly Condition[] {
  switch (status) {
    case "created":
      return ["configured", "created"];
    case "exited":
    case "dead":
      return ["exited", "stopped"];
    default:
      return [status];
  }
}

/** What is true of a container now. */
function conditionsOf({ status, health }: Container): readonly Condition[] {
  const state = conditionsOfStatus(status);
  const isChecked = status === "running" || status === "paused";
  // Of a container that does not run it is what the checks of its last run have found.
  return !isChecked || health === undefined || health.status === "starting" ? state : [...state, health.status];
}
