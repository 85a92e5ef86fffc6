/** <passkey-ceremony>: asks the browser for a passkey and sends what it answered to the server. */

interface Options {
  challenge: string;
  user?: { id: string };
  excludeCredentials?: { id: string }[];
  allowCredentials?: { id: string }[];
}

export class PasskeyCeremony extends HTMLElement {
  connectedCallback(): void {
    this.querySelector("button")?.addEventListener("click", () => { void this.run(); });
    void this.run();
  }

  /** One try. What goes wrong is said in words, with a button to try again. */
  async run(): Promise<void> {
    this.say("Waiting for the passkey…", false);
    try {
      const credential = await ask(this.getAttribute("kind") ?? "", this.options());
      this.send(JSON.stringify(credential));
    } catch (error) {
      this.say(reason(error), true);
    }
  }

  private options(): Options {
    return JSON.parse(this.dataset.options ?? "{}") as Options;
  }

  private say(words: string, again: boolean): void {
    const status = this.querySelector(".ceremony");
    const button = this.querySelector("button");
    if (status) status.textContent = words;
    if (button) button.hidden = !again;
  }

  private send(credential: string): void {
    const form = this.querySelector("form");
    const input = form?.querySelector<HTMLInputElement>('input[name="credential"]');
    if (form && input) {
      input.value = credential;
      form.submit();
    }
  }
}

/** The browser's answer as the server reads it: JSON with binary parts in base64url. */
async function ask(kind: string, options: Options): Promise<unknown> {
  // Browsers leave it out where passkeys cannot work: plain HTTP, for example.
  const credentials = navigator.credentials as CredentialsContainer | undefined;
  if (credentials === undefined || !("PublicKeyCredential" in window)) throw new UnsupportedError();
  const publicKey = decoded(options);
  const answer = kind === "create"
    ? await credentials.create({ publicKey: publicKey as unknown as PublicKeyCredentialCreationOptions })
    : await credentials.get({ publicKey: publicKey as unknown as PublicKeyCredentialRequestOptions });
  return encoded(answer as PublicKeyCredential);
}

class UnsupportedError extends Error {}

/** Why there is no passkey, and what to do. */
export function reason(error: unknown): string {
  if (error instanceof UnsupportedError) {
    return "This browser offers no passkeys here: they need HTTPS, or localhost. Use another way.";
  }
  switch (error instanceof Error ? error.name : "") {
    case "NotAllowedError":
      return "The passkey was not used: the window was closed, or it took too long.";
    case "InvalidStateError":
      return "This device has a passkey for your account already. Choose another device.";
    case "SecurityError":
      return "The browser gives no passkeys to this address. Open this server under its own name, by HTTPS.";
    default:
      return `The browser could not use a passkey (${String(error)}). Use another way.`;
  }
}

/** The server's options with the binary parts that the browser asks for. */
export function decoded(options: Options): Record<string, unknown> {
  const withBytes = (one: { id: string }): unknown => ({ ...one, id: bytes(one.id) });
  return {
    ...options,
    challenge: bytes(options.challenge),
    ...(options.user && { user: withBytes(options.user) }),
    ...(options.excludeCredentials && { excludeCredentials: options.excludeCredentials.map(withBytes) }),
    ...(options.allowCredentials && { allowCredentials: options.allowCredentials.map(withBytes) }),
  };
}

/** A new passkey (attestation) or the use of one (assertion). */
export function encoded(credential: PublicKeyCredential): unknown {
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    extensions: JSON.stringify(credential.getClientExtensionResults()),
    response: "attestationObject" in credential.response
      ? attestation(credential.response as AuthenticatorAttestationResponse)
      : assertion(credential.response as AuthenticatorAssertionResponse),
  };
}

function attestation(response: AuthenticatorAttestationResponse): unknown {
  return {
    clientDataJSON: text(response.clientDataJSON),
    attestationObject: text(response.attestationObject),
    transports: response.getTransports(),
  };
}

function assertion(response: AuthenticatorAssertionResponse): unknown {
  return {
    clientDataJSON: text(response.clientDataJSON),
    authenticatorData: text(response.authenticatorData),
    signature: text(response.signature),
    userHandle: response.userHandle ? text(response.userHandle) : null,
  };
}

/** base64url, without padding (RFC 4648, section 5). */
export function text(buffer: ArrayBuffer): string {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function bytes(base64url: string): Uint8Array {
  const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
