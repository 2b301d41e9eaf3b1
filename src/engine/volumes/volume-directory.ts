/** Where the files of volumes lie: `<data>/volumes/<name>/_data`, as with Docker. */

/** The directory of all volumes. */
export function volumesDirectory(data: string): string {
  return `${data}/volumes`;
}

/** The directory of a volume, with what is on its way into it. */
export function volumeDirectory(data: string, name: string): string {
  return `${volumesDirectory(data)}/${name}`;
}

/** What containers see of a volume. */
export function volumeContent(data: string, name: string): string {
  return `${volumeDirectory(data, name)}/_data`;
}
