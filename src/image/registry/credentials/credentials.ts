/** Who somebody is to a registry. */
export type Credentials =
  | { readonly kind: "password"; readonly user: string; readonly password: string }
  /**
   * A token that a registry gave at login, to be exchanged for others; Docker calls it `identitytoken`. Its user is for
   * people only, and not always known.
   */
  | { readonly kind: "identity-token"; readonly token: string; readonly user?: string | undefined };
