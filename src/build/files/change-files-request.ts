/** What the process that changes a root file system (change-files-here.ts) is asked, and what it answers. */
import * as v from "valibot";

const ownerSchema = v.object({ uid: v.number(), gid: v.number() });

const treePartSchema = v.object({
  kind: v.literal("tree"),
  /** Descriptor of the root directory. */
  root: v.number(),
  owners: v.picklist(["root", "kept"]),
  ignored: v.array(v.string()),
  paths: v.array(v.string()),
  excluded: v.array(v.string()),
  keepsParents: v.boolean(),
  /** Whether a file that is an archive is unpacked. */
  unpacks: v.boolean(),
});

const textsPartSchema = v.object({
  kind: v.literal("texts"),
  files: v.array(v.object({ name: v.string(), content: v.string() })),
});

const operationSchema = v.variant("kind", [
  v.object({
    kind: v.literal("copy"),
    parts: v.array(v.variant("kind", [treePartSchema, textsPartSchema])),
    destination: v.string(),
    owner: v.optional(ownerSchema),
    mode: v.optional(v.string()),
  }),
  v.object({ kind: v.literal("make-directory"), path: v.string(), owner: v.optional(ownerSchema) }),
]);

export const changeFilesRequestSchema = v.object({
  /** Descriptor of the root directory. */
  target: v.number(),
  mapping: v.picklist(["full", "single"]),
  operations: v.array(operationSchema),
  /** Seconds since 1970 that the files of texts have as their time. */
  time: v.number(),
});

export type ChangeFilesRequest = v.InferInput<typeof changeFilesRequestSchema>;

export const changeFilesAnswerSchema = v.object({
  /** Bytes of the files that were written. */
  size: v.number(),
  /** For each operation and part, in their order, which files were read. */
  stamps: v.array(v.array(v.string())),
  warnings: v.array(v.string()),
});
