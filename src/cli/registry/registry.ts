import { defineCommandGroup } from "../command-group.ts";

/** `bunker registry`: being a registry. */
export const registry = defineCommandGroup({
  options: {},
  commands: [
    {
      name: "serve",
      summary: "Serve images to clients on this machine",
      load: async () => (await import("./serve.ts")).serve,
    },
  ],
});
