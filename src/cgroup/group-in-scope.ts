/** What the group of a container's processes is called in its scope. */
export const IN_SCOPE = "container";
