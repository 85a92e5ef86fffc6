/** The part of idiomorph that we use; the package brings no types. */
declare module "idiomorph" {
  interface Callbacks {
    beforeAttributeUpdated?: (name: string, node: Element, change: "update" | "remove") => boolean;
  }
  export const Idiomorph: {
    morph(from: Element, to: Element, options?: { callbacks?: Callbacks }): void;
  };
}
