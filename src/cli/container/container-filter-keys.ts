/** What lists of containers can be filtered by. */
export const CONTAINER_FILTERS = [
  "ancestor",
  "before",
  "command",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "label",
  "label!",
  "name",
  "network",
  "publish",
  "restart-policy",
  "since",
  "status",
  "until",
  "volume",
] as const;

export type ContainerFilterKey = (typeof CONTAINER_FILTERS)[number];
