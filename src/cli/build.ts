// scripts/build.ts puts both in place; a run from the source tree is no build.
declare const BUNKER_VERSION: string | undefined;
declare const BUNKER_COMMIT: string | undefined;

/** Version of this build, as in package.json. */
export const VERSION = typeof BUNKER_VERSION === "string" ? BUNKER_VERSION : "unknown";

/** Short hash of the git commit that this build was made from. */
export const COMMIT = typeof BUNKER_COMMIT === "string" ? BUNKER_COMMIT : "unknown";
