/*
 * Who does what of a build.
 *
 * Files of stages belong to subordinate ids, and are mounted. So whoever executes a step is root of the user's user
 * namespace, in a mount namespace of its own: a second Bunker (start-build.ts), whose start is most of what a build costs
 * that finds all of its steps in the cache.
 *
 * So the command itself, as the user who has called it, begins with the same build (`findBuild` in build.ts). For a context
 * whose files are as they were, and steps that the cache knows, that is enough: layers are named in the image and never
 * opened. Where it comes to something that only root can do, or that takes long enough to be watched (files to be read,
 * registries, archives), it hands the build over, and root begins anew. What has been found out of the context goes along,
 * so that its files are looked at once. Until then nothing has been shown of what was done.
 *
 * What else is refused meanwhile is handed over just so: root can read more files than the user, and what it fails with
 * is what the user is told.
 */

/** That root is to do the build. It is no error, and nobody sees it. */
export class HandOver extends Error {}

/**
 * What stands before all that only root can do.
 * @param isRoot whether this process is root of the namespace that files of stages are for
 * @throws HandOver
 */
export function needRoot({ isRoot }: { readonly isRoot: boolean }): void {
  if (!isRoot) throw new HandOver();
}
