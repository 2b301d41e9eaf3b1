import { defineCommandGroup } from "../command-group.ts";

const listing = async () => (await import("./list.ts")).list;
const removing = async () => (await import("./remove.ts")).remove;

/** `bunker volume`. */
export const volume = defineCommandGroup({
  options: {},
  commands: [
    { name: "create", summary: "Create a volume", load: async () => (await import("./create.ts")).create },
    {
      name: "exists",
      summary: "Tell by the exit status whether a volume is there",
      load: async () => (await import("./exists.ts")).exists,
    },
    {
      name: "export",
      summary: "Write the files of a volume as a tar archive",
      load: async () => (await import("./export.ts")).exportContent,
    },
    {
      name: "import",
      summary: "Unpack a tar archive into a volume",
      load: async () => (await import("./import.ts")).importContent,
    },
    {
      name: "inspect",
      summary: "Show everything about volumes",
      load: async () => (await import("./inspect.ts")).inspect,
    },
    { name: "ls", summary: "List volumes", load: listing },
    { name: "list", summary: "List volumes", hidden: true, load: listing },
    {
      name: "mount",
      summary: "Show where the files of volumes are on the host",
      load: async () => (await import("./mount.ts")).mount,
    },
    {
      name: "prune",
      summary: "Remove volumes that no container uses",
      load: async () => (await import("./prune.ts")).prune,
    },
    {
      name: "reload",
      summary: "Read in what volume drivers have; there is local alone, which has nothing else",
      load: async () => (await import("./reload.ts")).reload,
    },
    { name: "rm", summary: "Remove volumes", load: removing },
    { name: "remove", summary: "Remove volumes", hidden: true, load: removing },
    {
      name: "unmount",
      summary: "Undo mount, which needs no undoing",
      load: async () => (await import("./mount.ts")).unmount,
    },
  ],
});
