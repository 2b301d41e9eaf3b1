import { defineCommandGroup } from "../command-group.ts";

/** `bunker builder`, and `bunker buildx`. */
export const builder = defineCommandGroup({
  options: {},
  commands: [
    {
      name: "build",
      summary: "Build an image from a Dockerfile",
      load: async () => (await import("../image/build/build.ts")).build,
    },
    {
      name: "du",
      summary: "Show what the build cache holds",
      load: async () => (await import("./disk-usage.ts")).diskUsage,
    },
    {
      name: "prune",
      summary: "Take out of the build cache what is not used",
      load: async () => (await import("./prune.ts")).prune,
    },
  ],
});
