/** The name of a container's log in its directory. */
export function logFile(directory: string, id: string): string {
  return `${directory}/${id}-json.log`;
}
