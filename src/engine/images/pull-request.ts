import * as v from "valibot";

/**
 * When the registry is asked: always; when the image is not here; always, but it need not answer when the image is here; or
 * never.
 */
export type PullPolicy = "always" | "missing" | "newer" | "never";

const credentials = v.variant("kind", [
  v.object({ kind: v.literal("password"), user: v.string(), password: v.string() }),
  v.object({ kind: v.literal("identity-token"), token: v.string() }),
]);

/** What is to be pulled, as it goes to the process that does it. */
export const pullRequestSchema = v.object({
  /** As the user has written it. */
  name: v.string(),
  /** Of an image on disk; it has to be asked for as such, for a name may look like one. */
  place: v.optional(
    v.object({
      kind: v.picklist(["oci", "oci-archive", "docker-archive", "dir"]),
      path: v.string(),
      tag: v.optional(v.string()),
    }),
  ),
  allTags: v.boolean(),
  /** `OS/ARCHITECTURE[/VARIANT]` */
  platform: v.optional(v.string()),
  /** How much is said: all steps, the names of what was pulled, or nothing. */
  output: v.picklist(["steps", "name", "none"]),
  /** Where it is said. */
  stream: v.picklist(["stdout", "stderr"]),
  settings: v.object({
    tlsVerify: v.optional(v.boolean()),
    certificateDirectory: v.optional(v.string()),
    authFile: v.optional(v.string()),
    credentials: v.optional(credentials),
    retries: v.optional(v.number()),
    retryDelay: v.optional(v.number()),
  }),
  /** Bunker's data directory. */
  data: v.string(),
  /** Where layers are unpacked, and for which ids. */
  store: v.string(),
  mapping: v.picklist(["full", "single"]),
});

/** See `pullRequestSchema`. */
export type PullRequest = v.InferOutput<typeof pullRequestSchema>;
