import { defineCommandGroup } from "../command-group.ts";

/** `bunker manifest`. */
export const manifest = defineCommandGroup({
  options: {},
  commands: [
    { name: "add", summary: "Add images to a list", load: async () => (await import("./add.ts")).add },
    {
      name: "annotate",
      summary: "Say more of an image in a list",
      load: async () => (await import("./annotate.ts")).annotate,
    },
    { name: "create", summary: "Make a list of images", load: async () => (await import("./create.ts")).create },
    {
      name: "exists",
      summary: "Tell by the exit status whether a list is there",
      load: async () => (await import("./exists.ts")).exists,
    },
    {
      name: "inspect",
      summary: "Show a list or a manifest",
      load: async () => (await import("./inspect.ts")).inspect,
    },
    { name: "push", summary: "Push a list to a registry", load: async () => (await import("./push.ts")).push },
    {
      name: "referrers",
      summary: "List what refers to an image in its registry",
      load: async () => (await import("./referrers.ts")).referrers,
    },
    {
      name: "remove",
      summary: "Take an image out of a list",
      load: async () => (await import("./remove.ts")).remove,
    },
    { name: "rm", summary: "Remove lists", load: async () => (await import("./rm.ts")).rm },
  ],
});
