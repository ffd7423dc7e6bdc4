/** Globals and memory in the source of a function: loads and stores with exact traps, and what is left to the interpreter. */
import type { Mnemonic } from '../opcodes.js';
import { F32, F64, I32, I64, V128, isRef, type ValType } from '../types.js';
import type { JsBody } from './body.js';
import { cold } from './cold.js';
import { GLOBAL, TRAPS, combine, type Operand } from './operands.js';
import { assignLanes, lanesOf, pushLanes } from './vector-forms.js';

// ---- globals

export function getGlobal(s: JsBody, index: number): void {
  const { type } = s.code.module.globals[index].type;
  s.globals.add(index);
  if (type === V128) {
    pushLanes(s, 'words', [0, 1, 2, 3].map((k) => `g${index}[${k}]`));
    return;
  }
  const operand = combine(type, isRef(type) ? `g${index}.ref` : `g${index}[0]`, [], { flags: GLOBAL, depth: 0 });
  s.push(type === F32 ? { ...operand, bits: `b${index}[0]` } : operand);
}

export function setGlobal(s: JsBody, index: number): void {
  const { type } = s.code.module.globals[index].type;
  s.globals.add(index);
  if (type === V128) {
    const words = lanesOf(s, s.height - 1, 'words');
    s.pop();
    s.line(assignLanes([0, 1, 2, 3].map((k) => `g${index}[${k}]`), words));
    return;
  }
  const value = s.pop();
  s.flush(TRAPS | GLOBAL);
  if (isRef(type)) s.line(`g${index}.ref = ${value.text};`);
  else s.line(type === F32 && value.bits !== undefined ? `b${index}[0] = ${value.bits};` : `g${index}[0] = ${value.text};`);
}

// ---- memory

export function access(s: JsBody, op: number, mnemonic: Mnemonic, offset: number, memory: number): void {
  numberAddress(s, s.height - (op >= 0x36 ? 2 : 1));
  const view = s.viewOf(memory);
  if (op >= 0x36) {
    store(s, mnemonic, offset, view);
    return;
  }
  const [type, load] = mnemonic.split('.');
  if (load === 'load' && type === 'i64') s.atom(s.height - 1);
  const address = s.pop();
  const at = addressText(address, offset);
  const read = (method: string, more = 0) => `${s.mark()}${view}.get${method}(${more > 0 ? `${at} + ${more}` : at}${method.endsWith('8') ? '' : ', true'})`;
  const push = (t: ValType, text: string, more: Partial<Operand> = {}) => {
    const result = combine(t, text, [address], more);
    s.push({ ...result, flags: result.flags | TRAPS });
  };
  if (load === 'load') {
    if (type === 'i32') push(I32, read('Int32'));
    else if (type === 'f64') push(F64, read('Float64'));
    else if (type === 'f32') push(F32, read('Float32'), { bits: read('Int32') });
    else push(I64, `((BigInt(${read('Uint32', 4)}) << 32n) + BigInt(${read('Uint32')}))`, { exact: false });
    return;
  }
  const [, size, sign] = /^load(\d+)_([su])$/.exec(load)!;
  if (type === 'i32') push(I32, read(`${sign === 's' ? 'Int' : 'Uint'}${size}`));
  else push(I64, sign === 's' ? `BigInt.asIntN(${size}, BigInt(${read(`Uint${size}`)}))` : `BigInt(${read(`Uint${size}`)})`);
}

function store(s: JsBody, mnemonic: Mnemonic, offset: number, view: string): void {
  const [type, store] = mnemonic.split('.');
  const top = s.height - 1;
  let low = '', high = '';
  if (type === 'i64') {
    const { constant } = s.stack[top];
    if (constant !== undefined) {
      low = `(${Number(BigInt.asIntN(32, BigInt(constant)))})`;
      high = `(${Number(BigInt(constant) >> 32n)})`;
    } else {
      const slot = s.inSlot(top);
      low = s.low(slot);
      high = s.high(slot);
    }
    if (store === 'store') s.atom(top - 1);
  }
  const value = s.pop(), address = s.pop();
  s.flush(TRAPS);
  const at = addressText(address, offset);
  const write = (method: string, text: string, more = 0) => s.line(`${s.mark()}${view}.set${method}(${more > 0 ? `${at} + ${more}` : at}, ${text}${method.endsWith('8') ? '' : ', true'});`);
  const size = store.slice(5) || '32';
  if (type === 'f64') write('Float64', value.text);
  else if (type === 'f32') write(value.bits === undefined ? 'Float32' : 'Int32', value.bits ?? value.text);
  else if (type === 'i32') write(`Int${size}`, value.text);
  else if (store !== 'store') write(`Int${size}`, low);
  else {
    // the upper half first, so that it writes all or nothing
    write('Int32', high, 4);
    write('Int32', low);
  }
}

/** memory.copy and memory.fill of the first memory, which a helper does; where that would trap, the interpreter says so. */
export function bulk(s: JsBody, helper: 'copied' | 'filled' | undefined, memory: number): void {
  if (!helper || s.code.module.memories[memory].is64) return cold(s, 3);
  const first = s.height - 3;
  s.flush(TRAPS | GLOBAL);
  s.temporaries.save();
  for (let h = first; h < s.height; h++) s.atom(h);
  const [a, b, c] = s.stack.slice(first);
  s.line(`if (!${helper}(${a.text}, ${b.text}, ${c.text})) {`);
  cold(s, 3);
  s.line('}');
}

/** Operand `h` as the address of an access of more than one piece, each so many bytes further. */
export function addressOf(s: JsBody, h: number, memory: number, offset: number): { readonly at: (more: number) => string; readonly view: string } {
  s.atom(h);
  const operand = s.stack[h];
  const base = numberOf(s, h, s.code.module.memories[memory].is64);
  return { at: (more) => addressText({ text: base, constant: operand.type === I64 ? undefined : operand.constant }, offset + more), view: s.viewOf(memory) };
}

/** Makes an address of 64 bits one of 32. */
export function numberAddress(s: JsBody, h: number): void {
  if (s.stack[h].type !== I64) return;
  const text = numberOf(s, h, true);
  s.stack[h] = combine(I32, text, [s.stack[h]]);
}

/** An address, an index or a count as a number that `>>> 0` keeps; one of 64 bits that is too large becomes the largest, which no memory or table reaches. */
export function numberOf(s: JsBody, h: number, is64: boolean | undefined): string {
  if (!is64) return s.stack[h].text;
  const [low, high] = s.halves(h);
  return `(${high} === 0 ? ${low} : -1)`;
}

function addressText({ text, constant }: Pick<Operand, 'text' | 'constant'>, offset: number): string {
  if (constant !== undefined) return String((Number(constant) >>> 0) + offset);
  return offset === 0 ? `(${text} >>> 0)` : `(${text} >>> 0) + ${offset}`;
}
