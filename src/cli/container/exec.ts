import {
  attachDetachably,
  checkTerminal,
  makeStreams,
  receiveSignals,
  terminalSize,
} from "../../engine/attach/attachment.ts";
import { parseDetachKeys } from "../../engine/attach/detach-keys.ts";
import { LostOutput } from "../../engine/attach/lost-output.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { startExec } from "../../engine/lifecycle/exec-process.ts";
import { findRunning } from "../../engine/lifecycle/find-running.ts";
import { newContainerId } from "../../engine/state/container-directory.ts";
import { openContainers } from "../../engine/state/open-containers.ts";
import type { RunningContainer } from "../../engine/state/running-container.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { openFile } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { defineCommand } from "../command.ts";
import { flag, list, singleOrEmpty } from "../option.ts";
import { parseEnvironmentOption } from "../values/environment-option.ts";
import { parseContainerPath } from "../values/paths.ts";
import { parseUser } from "../values/words.ts";
import { latestOption } from "./latest-option.ts";
import { detachKeysOption, preservedDescriptorsOption } from "./life-options.ts";

/** `bunker exec`. */
export const exec = defineCommand(
  {
    options: {
      latest: latestOption,
      detach: flag({ name: "detach", short: "d", description: "Do not wait for its end" }),
      interactive: flag({ name: "interactive", short: "i", description: "Pass standard input on" }),
      terminal: flag({ name: "tty", short: "t", description: "Give it a terminal" }),
      environment: list({
        name: "env",
        short: "e",
        valueName: "NAME[=VALUE]",
        description: "Set an environment variable, or pass on the caller's",
        parse: parseEnvironmentOption,
      }),
      environmentFiles: list({
        name: "env-file",
        valueName: "FILE",
        description: "Read environment variables from a file",
        parse: (text) => text,
      }),
      user: singleOrEmpty({
        name: "user",
        short: "u",
        valueName: "USER[:GROUP]",
        description: "User and group, names or numbers",
        parse: parseUser,
      }),
      workingDirectory: singleOrEmpty({
        name: "workdir",
        short: "w",
        valueName: "DIRECTORY",
        description: "Working directory in the container",
        parse: parseContainerPath,
      }),
      privileged: flag({ name: "privileged", description: "Give it all capabilities" }),
      detachKeys: detachKeysOption,
      preservedDescriptors: preservedDescriptorsOption,
    },
    isBrief: true,
    leave: leaveMemory,
    insteadOfFirst: ["latest"],
    required: ["CONTAINER", "COMMAND"],
    optional: "[ARG...]",
    stopAtFirstOperand: true,
  },
  async ({ options, operands: [reference, ...command] }) => {
    const { detach, interactive, terminal } = options;
    if (!detach) checkTerminal(options);
    const detachKeys = parseDetachKeys(options.detachKeys);
    const data = dataDirectory();
    using database = openContainers(data);
    const container = await containerToEnter(database, data, reference, options);
    const told = { id: container.id, name: container.name, definition: container.summary };
    using signals = detach ? undefined : receiveSignals();
    // Nobody reads what a detached process writes, and it must not end of that.
    using nobody = detach && !terminal ? openFile("/dev/null", OpenFlag.O_RDWR) : undefined;
    using streams = detach || terminal ? undefined : owned(makeStreams(interactive));
    const execID = newContainerId();
    using launched = await startExec(
      data,
      container,
      {
        ...options,
        command,
        id: execID,
        environment: [
          ...(await readEnvironmentFiles(options.environmentFiles)),
          ...options.environment.filter((entry) => entry !== undefined),
        ],
        consoleSize: terminalSize(),
      },
      nobody === undefined ? streams?.ends.inner : [nobody, nobody, nobody],
    );
    const keepTerminal = async () => {
      const { terminal } = launched;
      if (terminal === undefined) return 0;
      // With all that reads a supervisor's answers, which few need.
      const { connectToSupervisor, tell } = await import("../../engine/supervisor/connect.ts");
      using socket = connectToSupervisor(data, container.id);
      if (socket !== undefined) tell(socket, { kind: "keep" }, [terminal.number]);
      return 0;
    };
    if (signals === undefined) return await keepTerminal();
    for (const end of streams?.ends.inner ?? []) end.close();
    const lost = new LostOutput();
    const end = await attachDetachably(launched, signals, streams?.ends, {
      interactive,
      whole: false,
      isFurther: true,
      detachKeys,
      // As with Docker: the process is still there for who looks after it.
      isLeftOnHangup: true,
      lost,
    });
    if (end === "detached") {
      recordContainerEvent(data, "exec_detach", told, { execID });
      return await keepTerminal();
    }
    const exitStatus = "exitCode" in end ? end.exitCode : 128 + end.signal;
    recordContainerEvent(data, "exec_die", told, { execID, exitCode: String(exitStatus) });
    lost.check();
    return exitStatus;
  },
);

/** The container that is meant; one that runs, and is called by its name or whole id, is found without the code for others. */
async function containerToEnter(
  database: StateDatabase,
  data: string,
  reference: string,
  options: { readonly latest: boolean },
): Promise<RunningContainer> {
  const running = options.latest ? undefined : findRunning(database, data, reference);
  if (running !== undefined) return running;
  return (await import("./latest-container.ts")).namedOrLatest(database, data, reference, options);
}

function owned(ends: ReturnType<typeof makeStreams>) {
  return {
    ends,
    [Symbol.dispose]: () => {
      for (const end of [...ends.inner, ...Object.values(ends.outer)]) end?.close();
    },
  };
}

async function readEnvironmentFiles(paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const { readEnvironmentFile } = await import("../values/environment-file.ts");
  return paths.flatMap(readEnvironmentFile);
}
