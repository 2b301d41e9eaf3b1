import { checkTerminal, receiveSignals } from "../../engine/attach/attachment.ts";
import { attendContainer } from "../../engine/attach/attend-container.ts";
import { parseDetachKeys } from "../../engine/attach/detach-keys.ts";
import { tellSize } from "../../engine/attach/supervised-attachment.ts";
import { notRunning } from "../../engine/lifecycle/not-running.ts";
import { startByCommand, takeToStart } from "../../engine/lifecycle/start-container.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { warning } from "../messages.ts";
import { flag } from "../option.ts";
import { type ContainerWork, eachContainer } from "./each-container.ts";
import { detachKeysOption, signalProxyOption } from "./life-options.ts";
import { hasFilters, meantContainers, selectionOptions } from "./meant-containers.ts";
import { isAlive } from "./status-text.ts";

/** For who has no terminal. */
const REMEDY = "leave -i out, or start from a terminal";

/** `bunker start`. */
export const start = defineCommand(
  {
    options: {
      ...selectionOptions,
      all: flag({ name: "all", description: "All containers that do not run" }),
      attach: flag({ name: "attach", short: "a", description: "Attach to its outputs and pass signals on" }),
      interactive: flag({ name: "interactive", short: "i", description: "Attach to its input" }),
      detachKeys: detachKeysOption,
      signalProxy: signalProxyOption,
    },
    isBrief: true,
    leave: leaveMemory,
    required: [],
    optional: "[CONTAINER...]",
  },
  async ({ options, operands }) => {
    const isAttached = options.attach || options.interactive;
    const isOne = !options.all && operands.length + options.idFiles.length <= 1 && !hasFilters(options.filters);
    if (isAttached && !isOne) {
      throw new BunkerError({
        code: "conflicting_options",
        operation: "you cannot start and attach multiple containers at once",
        exitStatus: 1,
      });
    }
    let status = 0;
    const failed = await eachContainer(
      meantContainers("bunker start", operands, options, (container) => !isAlive(container)),
      async ({ database, data, container, reference }) => {
        const taken = takeToStart(database, data, container.id);
        if (taken === undefined) {
          if (!isAttached) return reference;
          // What hardly anybody asks of start.
          const { attachToRunning } = await import("../../engine/attach/attach-to-running.ts");
          const attached = await attachToRunning(database, data, container, { ...options, remedy: REMEDY });
          if (attached === undefined) throw notRunning("attach to container", container);
          status = attached;
          return undefined;
        }
        using lock = taken.lock;
        if (!isAttached) {
          const { socket } = await startByCommand(database, data, taken, {
            attachment: undefined,
            recordsEnd: false,
            onDeviceWarning: warning,
          });
          socket.close();
          return reference;
        }
        status = await startAttached({ database, data, container, reference }, { ...taken, lock }, options);
        return undefined;
      },
    );
    return failed || status;
  },
);

async function startAttached(
  { database, data, container }: ContainerWork,
  taken: NonNullable<ReturnType<typeof takeToStart>>,
  options: {
    readonly interactive: boolean;
    readonly detachKeys: string | undefined;
    readonly signalProxy: boolean;
  },
): Promise<number> {
  const { terminal, openInput, restart } = container.definition;
  const input = options.interactive && openInput;
  checkTerminal({ interactive: input, terminal }, REMEDY);
  using signals = receiveSignals(options.signalProxy);
  const attachment = {
    input,
    output: true,
    error: true,
    terminal,
    detachKeys: parseDetachKeys(options.detachKeys),
    signals,
  };
  const recordsEnd = restart.name === "no";
  const started = await startByCommand(database, data, taken, { attachment, recordsEnd, onDeviceWarning: warning });
  tellSize(started.socket, terminal);
  return await attendContainer(database, data, taken, started, attachment, recordsEnd);
}
