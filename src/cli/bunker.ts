import { defineCommandGroup } from "./command-group.ts";
import { flag } from "./option.ts";

/** The whole program: what `bunker` can be told to do, in the order of its help. */
export const bunker = defineCommandGroup({
  options: {
    version: flag({ name: "version", short: "v", description: "Show the version in one line" }),
  },
  instead: async ({ version }) => {
    if (!version) return undefined;
    const { COMMIT, VERSION } = await import("./build.ts");
    console.log(`Bunker version ${VERSION}, build ${COMMIT}`);
    return 0;
  },
  commands: [
    {
      name: "attach",
      summary: "Attach to a container that runs",
      load: async () => (await import("./container/attach.ts")).attach,
    },
    {
      name: "autostart",
      summary: "Have containers start with the machine",
      load: async () => (await import("./autostart/autostart.ts")).autostart,
    },
    {
      name: "build",
      summary: "Build an image from a Dockerfile",
      load: async () => (await import("./image/build/build.ts")).build,
    },
    {
      name: "builder",
      summary: "Manage what builds keep",
      load: async () => (await import("./builder/builder.ts")).builder,
    },
    {
      name: "buildx",
      summary: "As build and builder, by the names of Docker's plugin",
      hidden: true,
      load: async () => (await import("./builder/builder.ts")).builder,
    },
    {
      name: "commit",
      summary: "Make an image of what a container has become",
      load: async () => (await import("./container/commit.ts")).commit,
    },
    {
      name: "container",
      summary: "Manage containers",
      load: async () => (await import("./container/container.ts")).container,
    },
    {
      name: "copy",
      summary: "Copy an image from anywhere to anywhere",
      load: async () => (await import("./image/copy.ts")).copy,
    },
    {
      name: "cp",
      summary: "Copy files between a container and the host",
      load: async () => (await import("./container/copy.ts")).copyContainerFiles,
    },
    {
      name: "create",
      summary: "Create a container from an image",
      load: async () => (await import("./container/create.ts")).create,
    },
    {
      name: "diff",
      summary: "Show what a container has changed in its image",
      load: async () => (await import("./container/diff.ts")).diff,
    },
    {
      name: "doctor",
      summary: "Show what this machine allows to containers, and how to allow more",
      load: async () => (await import("./doctor.ts")).doctor,
    },
    {
      name: "events",
      summary: "Show what happens",
      load: async () => (await import("./events.ts")).events,
    },
    {
      name: "exec",
      summary: "Run a command in a container that runs",
      load: async () => (await import("./container/exec.ts")).exec,
    },
    {
      name: "export",
      summary: "Write the files of a container as a tar archive",
      load: async () => (await import("./container/export.ts")).exportFiles,
    },
    {
      name: "history",
      summary: "Show how an image was made",
      load: async () => (await import("./image/history.ts")).history,
    },
    {
      name: "image",
      summary: "Manage images",
      load: async () => (await import("./image/image.ts")).image,
    },
    {
      name: "images",
      summary: "List images",
      load: async () => (await import("./image/images.ts")).images,
    },
    {
      name: "import",
      summary: "Make an image of a tar archive",
      load: async () => (await import("./image/import.ts")).importArchive,
    },
    {
      name: "info",
      summary: "Show what this Bunker works with",
      load: async () => (await import("./system/info.ts")).info,
    },
    {
      name: "inspect",
      summary: "Show everything about containers and images",
      load: async () => (await import("./inspect.ts")).inspect,
    },
    {
      name: "kill",
      summary: "Send a signal to containers",
      load: async () => (await import("./container/kill.ts")).kill,
    },
    {
      name: "load",
      summary: "Bring images of an archive into the store",
      load: async () => (await import("./image/load.ts")).load,
    },
    {
      name: "login",
      summary: "Log in to a registry",
      load: async () => (await import("./registry/login.ts")).login,
    },
    {
      name: "logout",
      summary: "Log out of a registry",
      load: async () => (await import("./registry/logout.ts")).logout,
    },
    {
      name: "logs",
      summary: "Show what a container has written",
      load: async () => (await import("./container/logs.ts")).logs,
    },
    {
      name: "manifest",
      summary: "Put images for several platforms together",
      load: async () => (await import("./manifest/manifest.ts")).manifest,
    },
    {
      name: "network",
      summary: "Manage networks",
      load: async () => (await import("./network/network.ts")).network,
    },
    {
      name: "pause",
      summary: "Freeze containers",
      load: async () => (await import("./container/pause.ts")).pause,
    },
    {
      name: "port",
      summary: "Show the ports that a container publishes",
      load: async () => (await import("./container/port.ts")).port,
    },
    {
      name: "ps",
      summary: "List containers",
      load: async () => (await import("./ps.ts")).ps,
    },
    {
      name: "pull",
      summary: "Bring an image into the store",
      load: async () => (await import("./pull.ts")).pull,
    },
    {
      name: "push",
      summary: "Push images to a registry",
      load: async () => (await import("./image/push.ts")).push,
    },
    {
      name: "registry",
      summary: "Be a registry for clients on this machine",
      load: async () => (await import("./registry/registry.ts")).registry,
    },
    {
      name: "rename",
      summary: "Give a container another name",
      load: async () => (await import("./container/rename.ts")).rename,
    },
    {
      name: "restart",
      summary: "Stop containers and start them again",
      load: async () => (await import("./container/restart.ts")).restart,
    },
    {
      name: "rm",
      summary: "Remove containers",
      load: async () => (await import("./rm.ts")).rm,
    },
    {
      name: "rmi",
      summary: "Remove images",
      load: async () => (await import("./image/remove.ts")).remove,
    },
    {
      name: "run",
      summary: "Create a container from an image and run a command in it",
      load: async () => (await import("./run.ts")).run,
    },
    {
      name: "runtime",
      summary: "Run OCI bundles; the runtime that other engines call",
      load: async () => (await import("./runtime/runtime.ts")).runtime,
    },
    {
      name: "save",
      summary: "Write images to an archive or a directory",
      load: async () => (await import("./image/save.ts")).save,
    },
    {
      name: "search",
      summary: "Search a registry for images",
      load: async () => (await import("./registry/search.ts")).search,
    },
    {
      name: "secret",
      summary: "Manage secrets",
      load: async () => (await import("./secret/secret.ts")).secret,
    },
    {
      name: "start",
      summary: "Start containers that do not run",
      load: async () => (await import("./container/start.ts")).start,
    },
    {
      name: "stats",
      summary: "Show what containers use",
      load: async () => (await import("./container/stats.ts")).stats,
    },
    {
      name: "stop",
      summary: "Stop containers",
      load: async () => (await import("./container/stop.ts")).stop,
    },
    {
      name: "system",
      summary: "Manage Bunker",
      load: async () => (await import("./system/system.ts")).system,
    },
    {
      name: "tag",
      summary: "Give an image one more name",
      load: async () => (await import("./image/tag.ts")).tag,
    },
    {
      name: "top",
      summary: "Show the processes of a container",
      load: async () => (await import("./container/top.ts")).top,
    },
    {
      name: "unpause",
      summary: "Let frozen containers go on",
      load: async () => (await import("./container/pause.ts")).unpause,
    },
    {
      name: "unshare",
      summary: "Run a command as root of your own user namespace",
      load: async () => (await import("./unshare.ts")).unshare,
    },
    {
      name: "untag",
      summary: "Take names away from an image",
      load: async () => (await import("./image/untag.ts")).untag,
    },
    {
      name: "update",
      summary: "Change the limits of containers",
      load: async () => (await import("./container/update.ts")).update,
    },
    {
      name: "version",
      summary: "Show the version of Bunker and what it is made of",
      load: async () => (await import("./version.ts")).version,
    },
    {
      name: "volume",
      summary: "Manage volumes",
      load: async () => (await import("./volume/volume.ts")).volume,
    },
    {
      name: "wait",
      summary: "Wait until containers end and print their exit status",
      load: async () => (await import("./container/wait.ts")).wait,
    },
  ],
});
