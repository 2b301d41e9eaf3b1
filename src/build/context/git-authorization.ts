/**
 * The login for a git server, of the secrets that BuildKit knows for it: `GIT_AUTH_HEADER`, the value of the header, or
 * `GIT_AUTH_TOKEN`, a token as GitHub's; with `.HOST` behind the name for one host only.
 * @param secret reads a secret by its id
 * @returns the value of the header `authorization`
 */
export function gitAuthorization(host: string, secret: (id: string) => Buffer | undefined): string | undefined {
  for (const suffix of [`.${host}`, ""]) {
    const header = secret(`GIT_AUTH_HEADER${suffix}`)?.toString().trim();
    if (header !== undefined) return header;
    const token = secret(`GIT_AUTH_TOKEN${suffix}`)?.toString().trim();
    if (token !== undefined) return `Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
  }
  return undefined;
}
