/** What lists of containers can be filtered by. */
export const CONTAINER_FILTERS = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "until",
  "volume",
] as const;

export type ContainerFilterKey = (typeof CONTAINER_FILTERS)[number];
