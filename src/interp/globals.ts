/**
 * Arrays under names of the global object, which V8 takes for constants in all code, also in that which it makes of a running loop;
 * of the constants around a function it does so only when the function is called.
 */
const names = new Map<object, string>();

/** What gives a text with the arrays' names of the global object, in place of those that they have here, wherever one is indexed. */
export function throughGlobals(arrays: Readonly<Record<string, object>>): (text: string) => string {
  const known = new Map(Object.entries(arrays).map(([name, value]) => [name, nameOf(name, value)]));
  const wanted = new RegExp(`\\b(?:${[...known.keys()].join('|')})(?=\\[)`, 'g');
  return (text) => text.replaceAll(wanted, (name) => known.get(name)!);
}

/** An array has one name, whoever asks; several copies of this module in a process have theirs. */
function nameOf(name: string, value: object): string {
  let global = names.get(value);
  if (global === undefined) {
    let suffix = 0;
    while ((global = `wasm$${name}$${suffix}`) in globalThis) suffix++;
    Object.defineProperty(globalThis, global, { value, configurable: true });
    names.set(value, global);
  }
  return global;
}
