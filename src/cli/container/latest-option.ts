import { flag } from "../option.ts";

/** Podman's way to mean a container without naming it. */
export const latestOption = flag({
  name: "latest",
  short: "l",
  description: "The container that was created last, instead of naming it",
});
