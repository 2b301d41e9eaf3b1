import { defineCommandGroup } from "../command-group.ts";

/** `bunker container`. */
export const container = defineCommandGroup({
  options: {},
  commands: [
    {
      name: "attach",
      summary: "Attach to a container that runs",
      load: async () => (await import("./attach.ts")).attach,
    },
    {
      name: "clone",
      summary: "Create a container as another one was made",
      load: async () => (await import("./clone.ts")).clone,
    },
    {
      name: "commit",
      summary: "Make an image of what a container has become",
      load: async () => (await import("./commit.ts")).commit,
    },
    {
      name: "cp",
      summary: "Copy files between a container and the host",
      load: async () => (await import("./copy.ts")).copyContainerFiles,
    },
    {
      name: "create",
      summary: "Create a container from an image",
      load: async () => (await import("./create.ts")).create,
    },
    {
      name: "diff",
      summary: "Show what a container has changed in its image",
      load: async () => (await import("./diff.ts")).diff,
    },
    {
      name: "exec",
      summary: "Run a command in a container that runs",
      load: async () => (await import("./exec.ts")).exec,
    },
    {
      name: "exists",
      summary: "Tell by the exit status whether a container is there",
      load: async () => (await import("./exists.ts")).exists,
    },
    {
      name: "export",
      summary: "Write the files of a container as a tar archive",
      load: async () => (await import("./export.ts")).exportFiles,
    },
    {
      name: "inspect",
      summary: "Show everything about containers",
      load: async () => (await import("./inspect.ts")).inspect,
    },
    {
      name: "kill",
      summary: "Send a signal to containers",
      load: async () => (await import("./kill.ts")).kill,
    },
    {
      name: "logs",
      summary: "Show what a container has written",
      load: async () => (await import("./logs.ts")).logs,
    },
    {
      name: "ls",
      summary: "List containers",
      load: async () => (await import("../ps.ts")).ps,
    },
    {
      name: "list",
      summary: "List containers",
      hidden: true,
      load: async () => (await import("../ps.ts")).ps,
    },
    {
      name: "ps",
      summary: "List containers",
      hidden: true,
      load: async () => (await import("../ps.ts")).ps,
    },
    {
      name: "pause",
      summary: "Freeze containers",
      load: async () => (await import("./pause.ts")).pause,
    },
    {
      name: "port",
      summary: "Show the ports that a container publishes",
      load: async () => (await import("./port.ts")).port,
    },
    {
      name: "prune",
      summary: "Remove containers that do not run",
      load: async () => (await import("./prune.ts")).prune,
    },
    {
      name: "rename",
      summary: "Give a container another name",
      load: async () => (await import("./rename.ts")).rename,
    },
    {
      name: "restart",
      summary: "Stop containers and start them again",
      load: async () => (await import("./restart.ts")).restart,
    },
    {
      name: "rm",
      summary: "Remove containers",
      load: async () => (await import("../rm.ts")).rm,
    },
    {
      name: "remove",
      summary: "Remove containers",
      hidden: true,
      load: async () => (await import("../rm.ts")).rm,
    },
    {
      name: "run",
      summary: "Create a container from an image and run a command in it",
      load: async () => (await import("../run.ts")).run,
    },
    {
      name: "start",
      summary: "Start containers that do not run",
      load: async () => (await import("./start.ts")).start,
    },
    {
      name: "stats",
      summary: "Show what containers use",
      load: async () => (await import("./stats.ts")).stats,
    },
    {
      name: "stop",
      summary: "Stop containers",
      load: async () => (await import("./stop.ts")).stop,
    },
    {
      name: "top",
      summary: "Show the processes of a container",
      load: async () => (await import("./top.ts")).top,
    },
    {
      name: "unpause",
      summary: "Let frozen containers go on",
      load: async () => (await import("./pause.ts")).unpause,
    },
    {
      name: "update",
      summary: "Change the limits of containers",
      load: async () => (await import("./update.ts")).update,
    },
    {
      name: "wait",
      summary: "Wait until containers end and print their exit status",
      load: async () => (await import("./wait.ts")).wait,
    },
  ],
});
