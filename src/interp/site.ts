/** Where a guest function is, in terms of its module: which instruction comes next, and what is in the slots of its frame then. */
import type { ModuleCode } from './code.js';
import type { Place } from './machine-plain.js';
import { slotsAt, type Slots } from './plain.js';

export interface Site {
  readonly func: number;
  /** of the next instruction, or of the call that has not returned, in bytes from the module's start */
  readonly offset: number;
  readonly slots: Slots;
}

/** Looks at many frames: those at the same position are looked up once. */
export class Sites {
  readonly #known = new Map<ModuleCode, Map<string, Site>>();

  /** @param again a host function that is waited for is taken to be still to be called */
  of({ inst: { code }, pc, behind, host }: Place, again = false): Site {
    let sites = this.#known.get(code);
    if (!sites) this.#known.set(code, sites = new Map());
    const called = behind && !(again && host);
    const key = `${pc} ${called}`;
    let site = sites.get(key);
    if (!site) {
      const func = code.functionAt(pc);
      const offset = code.offsetAt(behind ? pc - 1 : pc);
      const slots = slotsAt(code, func, offset, called);
      if (!slots) throw new Error(`bug: function ${func} has no instruction at ${offset}`);
      sites.set(key, site = { func, offset, slots });
    }
    return site;
  }
}
