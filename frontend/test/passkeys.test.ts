import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bytes, decoded, encoded, PasskeyCeremony, reason, text } from "../src/passkeys";

customElements.define("passkey-ceremony", PasskeyCeremony);

const buffer = (...numbers: number[]): ArrayBuffer => new Uint8Array(numbers).buffer;

/** An element that is waiting for its passkey, and what its form sent. */
function ceremony(kind: string, options: object): { element: PasskeyCeremony; sent: string[] } {
  document.body.innerHTML = `<passkey-ceremony kind="${kind}">
    <form><input type="hidden" name="credential"></form>
    <p class="ceremony"></p><button hidden>Try again</button></passkey-ceremony>`;
  const element = document.querySelector<PasskeyCeremony>("passkey-ceremony");
  const form = element?.querySelector("form");
  if (element === null || form == null) throw new Error("no ceremony");
  element.dataset.options = JSON.stringify(options);
  const sent: string[] = [];
  form.submit = () => { sent.push(form.querySelector("input")?.value ?? ""); };
  return { element, sent };
}

const assertion = {
  id: "AQI", rawId: buffer(1, 2), type: "public-key",
  getClientExtensionResults: () => ({}),
  response: {
    clientDataJSON: buffer(3), authenticatorData: buffer(4), signature: buffer(5), userHandle: null,
  },
};

beforeEach(() => { vi.stubGlobal("PublicKeyCredential", vi.fn()); });
afterEach(() => { vi.unstubAllGlobals(); });

test("bytes become base64url and come back, whatever they are", () => {
  const all = Uint8Array.from({ length: 256 }, (_, number) => number);
  expect(bytes(text(all.buffer))).toEqual(all);
  expect(text(buffer(251, 255, 254))).toBe("-__-");
  expect(text(buffer(255))).toBe("_w");
});

test("the options of a new passkey get their bytes and keep the rest", () => {
  const options = {
    challenge: "AQI", user: { id: "Aw", name: "ada@example.com" },
    excludeCredentials: [{ id: "BA", type: "public-key" }], timeout: 60_000,
  };
  expect(decoded(options)).toEqual({
    challenge: new Uint8Array([1, 2]), user: { id: new Uint8Array([3]), name: "ada@example.com" },
    excludeCredentials: [{ id: new Uint8Array([4]), type: "public-key" }], timeout: 60_000,
  });
});

test("a log-in that names no passkey leaves the choice to the browser", () => {
  expect(decoded({ challenge: "AQI" })).toEqual({ challenge: new Uint8Array([1, 2]) });
});

test("a new passkey is written as the server reads it", () => {
  const made = {
    ...assertion,
    response: {
      clientDataJSON: buffer(3), attestationObject: buffer(6), getTransports: () => ["internal"],
    },
  };
  expect(encoded(made as unknown as PublicKeyCredential)).toEqual({
    id: "AQI", rawId: "AQI", type: "public-key", extensions: "{}",
    response: { clientDataJSON: "Aw", attestationObject: "Bg", transports: ["internal"] },
  });
});

test("what the browser answers is sent at once", async () => {
  vi.stubGlobal("navigator", { credentials: { get: () => Promise.resolve(assertion) } });
  const { element, sent } = ceremony("get", { challenge: "AQI" });
  await element.run();
  expect(JSON.parse(sent.at(-1) ?? "")).toMatchObject({ id: "AQI", response: { signature: "BQ" } });
});

test("a closed window is said in words, and can be opened again", async () => {
  const closed = new DOMException("closed", "NotAllowedError");
  vi.stubGlobal("navigator", { credentials: { get: () => Promise.reject(closed) } });
  const { element, sent } = ceremony("get", { challenge: "AQI" });
  await element.run();
  expect(sent).toEqual([]);
  expect(element.querySelector(".ceremony")?.textContent).toContain("the window was closed");
  expect(element.querySelector("button")?.hidden).toBe(false);
});

test("a browser without passkeys says so", async () => {
  vi.stubGlobal("navigator", {});
  const { element } = ceremony("create", { challenge: "AQI" });
  await element.run();
  expect(element.textContent).toContain("they need HTTPS");
});

test.each([
  ["InvalidStateError", "already"], ["SecurityError", "its own name"], ["AbortError", "could not"],
])("%s has a sentence", (name, words) => {
  expect(reason(new DOMException("x", name))).toContain(words);
});
