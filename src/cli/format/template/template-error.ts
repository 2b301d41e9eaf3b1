/** A template that cannot be read or carried out; the message is worded as Go's text/template does. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  /** What the user probably meant, one sentence. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}
