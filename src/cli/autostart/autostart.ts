import { defineCommandGroup } from "../command-group.ts";

/** `bunker autostart`. */
export const autostart = defineCommandGroup({
  options: {},
  commands: [
    {
      name: "disable",
      summary: "Start no containers with the machine any more",
      load: async () => (await import("./disable.ts")).disable,
    },
    {
      name: "enable",
      summary: "Start containers with the machine that have --restart always or unless-stopped",
      load: async () => (await import("./enable.ts")).enable,
    },
    {
      name: "run",
      summary: "Start them now, as the machine does",
      load: async () => (await import("./run.ts")).run,
    },
    {
      name: "status",
      summary: "Show whether containers start with the machine, and which",
      load: async () => (await import("./status.ts")).status,
    },
  ],
});
