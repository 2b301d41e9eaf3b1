/** Where the sockets of a network's containers are; network/switch/shared-link.ts. */
export function networkDirectory(data: string, id: string): string {
  return `${data}/networks/${id}`;
}
