import { attach, receiveSignals } from "../../engine/attach/attachment.ts";
import { LostOutput } from "../../engine/attach/lost-output.ts";
import type { Configuration } from "../../runtime/configuration/configuration.ts";
import { createContainer } from "../../runtime/lifecycle/create-container.ts";
import { deleteContainer } from "../../runtime/lifecycle/delete-container.ts";
import { startContainer } from "../../runtime/lifecycle/start-container.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { Orphans } from "../../runtime/orphans.ts";
import { setWindowSize } from "../../sys/terminal.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { createOptionsOf, createOptionsTable } from "./create-options.ts";
import { exitStatusOf } from "./exit-status.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { warn } from "./log.ts";
import { ownTerminalSize } from "./own-terminal-size.ts";

function hasOwnPidNamespace({ linux }: Configuration): boolean {
  return linux?.namespaces?.some(({ type, path = "" }) => type === "pid" && path === "") === true;
}

/** `bunker runtime run`: create, start, and unless detached wait and delete. */
export const run = defineCommand(
  {
    options: {
      ...createOptionsTable,
      detach: flag({ name: "detach", short: "d", description: "Do not wait for the container's end" }),
      keep: flag({ name: "keep", description: "Do not delete the container when it has ended" }),
      noSubreaper: flag({ name: "no-subreaper", description: "Let what the container leaves behind live on" }),
    },
    isBrief: true,
    required: ["ID"],
  },
  async ({ options, operands: [id] }, globals: RuntimeGlobals) => {
    const root = stateRoot(globals.root);
    const onWarning = (message: string) => warn(globals, message);
    using signals = options.detach ? undefined : receiveSignals();
    using container = await createContainer(root, id, createOptionsOf(options, globals, !options.detach));
    const { directory } = container;
    const adopts = !options.detach && !options.noSubreaper && !hasOwnPidNamespace(directory.configuration());
    using orphans = adopts ? new Orphans() : undefined;
    const size = ownTerminalSize();
    if (container.terminal !== undefined && size !== undefined) setWindowSize(container.terminal.number, size);
    try {
      startContainer(directory, onWarning);
    } catch (error) {
      deleteContainer(directory, true, onWarning);
      throw error;
    }
    if (signals === undefined) return 0;
    directory.unlock();
    const lost = new LostOutput();
    const end = await attach(container, signals, undefined, {
      interactive: true,
      whole: false,
      isFurther: false,
      orphans,
      lost,
    });
    if (!options.keep) deleteContainer(directory, true, onWarning);
    lost.check();
    return exitStatusOf(end);
  },
);
