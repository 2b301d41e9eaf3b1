import { defineCommandGroup } from "../command-group.ts";

/** `bunker system`. */
export const system = defineCommandGroup({
  options: {},
  commands: [
    {
      name: "df",
      summary: "Show what takes how much space",
      load: async () => (await import("./df.ts")).df,
    },
    {
      name: "events",
      summary: "Show what happens",
      load: async () => (await import("../events.ts")).events,
    },
    {
      name: "info",
      summary: "Show what this Bunker works with",
      load: async () => (await import("./info.ts")).info,
    },
    {
      name: "prune",
      summary: "Remove everything that is not used",
      load: async () => (await import("./prune.ts")).prune,
    },
  ],
});
