import { defineCommandGroup } from "../command-group.ts";

const listing = async () => (await import("./list.ts")).list;
const removing = async () => (await import("./remove.ts")).remove;

/** `bunker secret`. */
export const secret = defineCommandGroup({
  options: {},
  commands: [
    { name: "create", summary: "Create a secret", load: async () => (await import("./create.ts")).create },
    {
      name: "exists",
      summary: "Tell by the exit status whether a secret is there",
      load: async () => (await import("./exists.ts")).exists,
    },
    {
      name: "inspect",
      summary: "Show everything about secrets but their data",
      load: async () => (await import("./inspect.ts")).inspect,
    },
    { name: "ls", summary: "List secrets", load: listing },
    { name: "list", summary: "List secrets", hidden: true, load: listing },
    { name: "rm", summary: "Remove secrets", load: removing },
    { name: "remove", summary: "Remove secrets", hidden: true, load: removing },
  ],
});
