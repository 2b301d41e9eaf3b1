import { defineCommandGroup } from "../command-group.ts";

const listing = async () => (await import("./list.ts")).list;
const removing = async () => (await import("./remove.ts")).remove;

/** `bunker network`. */
export const network = defineCommandGroup({
  options: {},
  commands: [
    {
      name: "connect",
      summary: "Put a container on a network, also while it runs",
      load: async () => (await import("./connect.ts")).connect,
    },
    { name: "create", summary: "Make a network", load: async () => (await import("./create.ts")).create },
    {
      name: "disconnect",
      summary: "Take a container off a network, also while it runs",
      load: async () => (await import("./disconnect.ts")).disconnect,
    },
    {
      name: "exists",
      summary: "Tell by the exit status whether a network is there",
      load: async () => (await import("./exists.ts")).exists,
    },
    {
      name: "inspect",
      summary: "Show everything about networks",
      load: async () => (await import("./inspect.ts")).inspect,
    },
    { name: "ls", summary: "List networks", load: listing },
    { name: "list", summary: "List networks", hidden: true, load: listing },
    {
      name: "prune",
      summary: "Remove networks that no container is on",
      load: async () => (await import("./prune.ts")).prune,
    },
    { name: "rm", summary: "Remove networks", load: removing },
    {
      name: "trace",
      summary: "Show what goes between a container and the outside, as it goes",
      load: async () => (await import("./trace.ts")).trace,
    },
    {
      name: "update",
      summary: "Change the resolvers of a network, also while containers run",
      load: async () => (await import("./update.ts")).update,
    },
    { name: "remove", summary: "Remove networks", hidden: true, load: removing },
  ],
});
