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
  ],
});
