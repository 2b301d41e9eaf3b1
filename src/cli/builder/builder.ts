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
  ],
});
