/** What ends slirp4netns with status 1, told on standard error as it is. */
export class SlirpError extends Error {
  override readonly name = "SlirpError";
}
