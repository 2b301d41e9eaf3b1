import { defineCommandGroup } from "../command-group.ts";

const listing = async () => (await import("./images.ts")).images;
const removing = async () => (await import("./remove.ts")).remove;

/** `bunker image`. */
export const image = defineCommandGroup({
  options: {},
  commands: [
    {
      name: "build",
      summary: "Build an image from a Dockerfile",
      load: async () => (await import("./build/build.ts")).build,
    },
    {
      name: "copy",
      summary: "Copy an image from anywhere to anywhere",
      load: async () => (await import("./copy.ts")).copy,
    },
    {
      name: "diff",
      summary: "Show what files an image has otherwise than another",
      load: async () => (await import("./diff.ts")).diff,
    },
    {
      name: "exists",
      summary: "Tell by the exit status whether an image is there",
      load: async () => (await import("./exists.ts")).exists,
    },
    {
      name: "history",
      summary: "Show how an image was made",
      load: async () => (await import("./history.ts")).history,
    },
    {
      name: "import",
      summary: "Make an image of a tar archive",
      load: async () => (await import("./import.ts")).importArchive,
    },
    {
      name: "inspect",
      summary: "Show everything about images",
      load: async () => (await import("./inspect.ts")).inspect,
    },
    {
      name: "load",
      summary: "Bring images of an archive into the store",
      load: async () => (await import("./load.ts")).load,
    },
    { name: "ls", summary: "List images", load: listing },
    { name: "list", summary: "List images", hidden: true, load: listing },
    {
      name: "mount",
      summary: "Mount images to look at, or list those that are mounted",
      load: async () => (await import("./mount.ts")).mount,
    },
    {
      name: "prune",
      summary: "Remove images that are not used",
      load: async () => (await import("./prune.ts")).prune,
    },
    {
      name: "pull",
      summary: "Bring an image into the store",
      load: async () => (await import("../pull.ts")).pull,
    },
    {
      name: "push",
      summary: "Push images to a registry",
      load: async () => (await import("./push.ts")).push,
    },
    { name: "rm", summary: "Remove images", load: removing },
    { name: "remove", summary: "Remove images", hidden: true, load: removing },
    {
      name: "save",
      summary: "Write images to an archive or a directory",
      load: async () => (await import("./save.ts")).save,
    },
    {
      name: "search",
      summary: "Search a registry for images",
      hidden: true,
      load: async () => (await import("../registry/search.ts")).search,
    },
    { name: "tag", summary: "Give an image one more name", load: async () => (await import("./tag.ts")).tag },
    {
      name: "tree",
      summary: "Show the layers of an image",
      load: async () => (await import("./tree.ts")).tree,
    },
    {
      name: "untag",
      summary: "Take names away from an image",
      load: async () => (await import("./untag.ts")).untag,
    },
    {
      name: "unmount",
      summary: "Take the mounts of images away",
      load: async () => (await import("./unmount.ts")).unmount,
    },
    {
      name: "umount",
      summary: "Take the mounts of images away",
      hidden: true,
      load: async () => (await import("./unmount.ts")).unmount,
    },
  ],
});
