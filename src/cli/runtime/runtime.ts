import { BunkerError } from "../../sys/error.ts";
import { defineCommandGroup } from "../command-group.ts";
import { print } from "../print.ts";
import { globalOptions } from "./globals.ts";

/** runc's: the runtime itself failed. */
const RUNTIME_FAILED = 1;
/** Of a command that could not be executed or was not found, as everywhere. */
const COMMAND_FAILURES: readonly number[] = [126, 127];

/** `bunker runtime`: the OCI runtime, with runc's command line. */
export const runtime = defineCommandGroup({
  options: globalOptions,
  failureStatus: RUNTIME_FAILED,
  instead: async ({ version }) => {
    if (!version) return undefined;
    const { COMMIT, VERSION } = await import("../build.ts");
    const { OCI_VERSION } = await import("../../runtime/state.ts");
    print(`bunker-runtime version ${VERSION}\ncommit: ${COMMIT}\nspec: ${OCI_VERSION}`);
    return 0;
  },
  around: async (globals, proceed) => {
    try {
      return await proceed();
    } catch (error) {
      const { logError } = await import("./log.ts");
      logError(globals, error);
      const status = error instanceof BunkerError ? error.exitStatus : RUNTIME_FAILED;
      return COMMAND_FAILURES.includes(status) ? status : RUNTIME_FAILED;
    }
  },
  commands: [
    {
      name: "create",
      summary: "Create a container that waits for its start",
      load: async () => (await import("./create.ts")).create,
    },
    {
      name: "start",
      summary: "Let a created container execute its command",
      load: async () => (await import("./start.ts")).start,
    },
    {
      name: "run",
      summary: "Create and start a container",
      load: async () => (await import("./run.ts")).run,
    },
    {
      name: "exec",
      summary: "Execute a further command in a container",
      load: async () => (await import("./exec.ts")).exec,
    },
    {
      name: "kill",
      summary: "Send a signal to a container",
      load: async () => (await import("./kill.ts")).kill,
    },
    {
      name: "delete",
      summary: "Forget a container that has stopped",
      load: async () => (await import("./delete.ts")).deleteCommand,
    },
    {
      name: "state",
      summary: "Show the state of a container",
      load: async () => (await import("./state.ts")).state,
    },
    {
      name: "list",
      summary: "List the containers",
      load: async () => (await import("./list.ts")).list,
    },
    {
      name: "ps",
      summary: "List the processes of a container",
      load: async () => (await import("./ps.ts")).ps,
    },
    {
      name: "pause",
      summary: "Stop all processes of a container for a while",
      load: async () => (await import("./pause.ts")).pause,
    },
    {
      name: "resume",
      summary: "Let the processes of a paused container go on",
      load: async () => (await import("./resume.ts")).resume,
    },
    {
      name: "update",
      summary: "Change the resource limits of a container",
      load: async () => (await import("./update.ts")).update,
    },
    {
      name: "events",
      summary: "Show the resource usage of a container",
      load: async () => (await import("./events.ts")).events,
    },
    {
      name: "spec",
      summary: "Write an example of a bundle's config.json",
      load: async () => (await import("./spec.ts")).spec,
    },
    {
      name: "features",
      summary: "Show what this runtime can do, as JSON",
      load: async () => (await import("./features.ts")).features,
    },
  ],
});
