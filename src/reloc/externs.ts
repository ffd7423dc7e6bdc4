/**
 * Symbols that somebody else defines: kernel configuration (`__kconfig`), kernel variables and functions (`__ksym`).
 * Finds them, lays out the `.kconfig` map, and rewrites the DATASECs of both in the object's BTF, because the kernel takes
 * neither extern variables nor functions in a DATASEC. Their values are the loader's to find.
 */
import { BtfError, RelocationError } from '../errors.js';
import { essentialName, type Btf, type BtfType } from './btf.js';
import type { BtfPatch, SecInfo } from './btf-patch.js';
import { Binding, SectionIndex, SymbolType, type ElfSymbol } from './elf.js';
import { FuncLinkage, KCONFIG, KSYMS, MAX_VALUE, VarLinkage } from './globals.js';
import type { ObjectFile } from './sections.js';
import type { ExternSpec } from './spec.js';

/** Bytes that each kernel symbol pretends to have in the DATASEC given to the kernel. */
const KSYM_SIZE = 4;
const TRISTATE = 'libbpf_tristate';

type Kconfig = NonNullable<ExternSpec['kconfig']>;
type Func = BtfType & { readonly kind: 'func' };
type Var = BtfType & { readonly kind: 'var' };
type Datasec = BtfType & { readonly kind: 'datasec' };

export interface Externs {
  /** kconfig by alignment (largest first), size and name, then kernel symbols by name: libbpf's order */
  readonly list: readonly ExternSpec[];
  readonly bySymbol: ReadonlyMap<number, ExternSpec>;
  /** bytes of the `.kconfig` map, 0 where there is none */
  readonly kconfigSize: number;
}

/** Undefined symbols that are no section's and no file's. */
export function isExtern(symbol: ElfSymbol): boolean {
  return symbol.section === SectionIndex.UNDEF && symbol.type === SymbolType.NOTYPE && (symbol.binding === Binding.GLOBAL || symbol.binding === Binding.WEAK);
}

/**
 * @param btf read, before any change
 * @param patch gets the changes
 * @throws RelocationError, BtfError
 */
export function collectExterns(file: ObjectFile, btf: Btf | undefined, patch: BtfPatch | undefined): Externs {
  const found: { symbol: number; spec: ExternSpec; sec: number }[] = [];
  const names = new Set<string>();
  let secOf: Map<number, number> | undefined;
  let declared: Map<string, Var | Func> | undefined;
  for (const symbol of file.symbols) {
    if (!isExtern(symbol) || file.symbols.isNameless(symbol.index)) continue;
    const { name } = symbol;
    if (name === '') continue;
    if (!btf) throw fault(name, 'the object has no BTF that says what it is (define it, or compile with -g)');
    secOf ??= datasecOf(btf);
    if (names.has(name)) throw fault(name, 'is there twice');
    names.add(name);
    declared ??= declarations(btf);
    const type = declaration(declared, name);
    const sec = secOf.get(type.id);
    if (sec === undefined) throw fault(name, 'belongs to no section; declare it with __ksym or __kconfig');
    found.push({ symbol: symbol.index, sec, spec: describe(btf, type, btf.name(sec), symbol.binding === Binding.WEAK) });
  }
  if (!btf || !patch || found.length === 0) return { list: [], bySymbol: new Map(), kconfigSize: 0 };

  found.sort((a, b) => compare(a.spec, b.spec));
  const kconfigSize = layOut(found);
  const byName = new Map(found.map(({ spec }) => [spec.name, spec]));
  for (const sec of new Set(found.map((entry) => entry.sec))) {
    const type = btf.type(sec) as Datasec;
    if (type.name === KCONFIG) rewriteKconfig(btf, patch, type, byName, kconfigSize);
    else rewriteKsyms(btf, patch, type, byName);
  }
  return { list: found.map(({ spec }) => spec), bySymbol: new Map(found.map(({ symbol, spec }) => [symbol, spec])), kconfigSize };
}

function fault(name: string, reason: string): RelocationError {
  return new RelocationError(`undefined symbol "${name}" ${reason}`);
}

/** Variable or function -> the first DATASEC that holds it. */
function datasecOf(btf: Btf): Map<number, number> {
  const found = new Map<number, number>();
  for (let id = 1; id < btf.length; id++) {
    if (btf.kind(id) !== 'datasec') continue;
    for (const { type } of (btf.type(id) as Datasec).vars) if (!found.has(type)) found.set(type, id);
  }
  return found;
}

/** Name -> the first variable or function of that name. */
function declarations(btf: Btf): Map<string, Var | Func> {
  const found = new Map<string, Var | Func>();
  for (let id = 1; id < btf.length; id++) {
    const kind = btf.kind(id);
    if (kind !== 'var' && kind !== 'func') continue;
    const type = btf.type(id) as Var | Func;
    if (!found.has(type.name)) found.set(type.name, type);
  }
  return found;
}

function declaration(declared: ReadonlyMap<string, Var | Func>, name: string): Var | Func {
  const type = declared.get(name);
  if (!type) throw fault(name, 'is not described in the BTF (define it, or declare it with __ksym or __kconfig)');
  const wanted = type.kind === 'var' ? VarLinkage.GLOBAL_EXTERN : FuncLinkage.EXTERN;
  if (type.linkage !== wanted) throw fault(name, `is a ${type.kind} of linkage ${type.linkage} in the BTF, not an extern (${wanted})`);
  return type;
}

function describe(btf: Btf, type: Var | Func, section: string, weak: boolean): ExternSpec {
  const { name } = type;
  const common = { name, weak, btfId: type.id, typeId: btf.skipModifiers(type.type), essentialName: essentialName(name) };
  if (section === KSYMS) return { ...common, kind: type.kind === 'func' ? 'kfunc' : 'ksym' };
  if (section !== KCONFIG) throw fault(name, `is in section "${section}"; externs are known in ${KCONFIG} and ${KSYMS} only`);
  if (type.kind === 'func') throw fault(name, `is a function, and ${KCONFIG} has variables only`);
  const size = btf.sizeOf(type.type);
  const kind = kconfigType(btf, type.type);
  if (!kind || size === 0) throw fault(name, `has a type that ${KCONFIG} cannot hold: integers, bool, char, enum ${TRISTATE} and char arrays`);
  return { ...common, kind: 'kconfig', kconfig: { offset: 0, size, align: btf.alignOf(type.type), ...kind } };
}

function kconfigType(btf: Btf, id: number): Pick<Kconfig, 'type' | 'signed'> | undefined {
  const type = btf.type(btf.skipModifiers(id));
  switch (type.kind) {
    case 'int':
      if (type.bool) return type.size === 1 ? { type: 'bool', signed: false } : undefined;
      if (type.size === 1) return { type: 'char', signed: type.signed };
      return type.size <= 8 ? { type: 'int', signed: type.signed } : undefined;
    case 'enum':
      return type.size === 4 && type.name === TRISTATE ? { type: 'tristate', signed: false } : undefined;
    case 'enum64':
      return type.name === TRISTATE ? { type: 'tristate', signed: false } : undefined;
    case 'array': {
      const element = btf.type(btf.skipModifiers(type.type));
      return type.nelems > 0 && element.kind === 'int' && !element.bool && element.size === 1 ? { type: 'char_arr', signed: false } : undefined;
    }
    default:
      return undefined;
  }
}

function compare(a: ExternSpec, b: ExternSpec): number {
  if (a.kconfig && b.kconfig) {
    if (a.kconfig.align !== b.kconfig.align) return b.kconfig.align - a.kconfig.align;
    if (a.kconfig.size !== b.kconfig.size) return a.kconfig.size - b.kconfig.size;
  } else if (a.kconfig || b.kconfig) {
    return a.kconfig ? -1 : 1;
  }
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Gives each kconfig variable its offset. @returns the size of all */
function layOut(found: { spec: ExternSpec }[]): number {
  let end = 0;
  for (const entry of found) {
    const { kconfig } = entry.spec;
    if (!kconfig) continue;
    const offset = Math.ceil(end / kconfig.align) * kconfig.align;
    end = offset + kconfig.size;
    if (end > MAX_VALUE) throw fault(entry.spec.name, `of ${kconfig.size} bytes makes ${KCONFIG} larger than a map can be`);
    entry.spec = { ...entry.spec, kconfig: { ...kconfig, offset } };
  }
  return end;
}

function named(btf: Btf, sec: Datasec, type: number, byName: ReadonlyMap<string, ExternSpec>): ExternSpec {
  const [kind, spec] = [btf.kind(type), byName.get(btf.name(type))];
  const wrong = !spec ? 'is no undefined symbol of the object' : kind !== 'var' && (kind !== 'func' || sec.name === KCONFIG) ? 'does not belong here' : '';
  if (wrong || !spec) throw new BtfError(`DATASEC "${sec.name}": ${kind} "${btf.name(type)}" ${wrong}`, { source: btf.source, typeId: sec.id });
  return spec;
}

function rewriteKconfig(btf: Btf, patch: BtfPatch, sec: Datasec, byName: ReadonlyMap<string, ExternSpec>, size: number): void {
  patch.setDatasecSize(sec.id, size);
  const vars = sec.vars.map((info) => {
    const { kconfig } = named(btf, sec, info.type, byName);
    patch.setVarLinkage(info.type, VarLinkage.GLOBAL_ALLOCATED);
    return { ...info, offset: kconfig?.offset ?? 0 };
  });
  patch.setVars(sec.id, vars.sort((a, b) => a.offset - b.offset));
}

/** Every kernel symbol becomes an int of its own; functions make room for one shared variable. */
function rewriteKsyms(btf: Btf, patch: BtfPatch, sec: Datasec, byName: ReadonlyMap<string, ExternSpec>): void {
  const int = intOf4(btf) ?? patch.addInt(patch.addString('int'));
  let dummy: { name: number; id: number } | undefined;
  const vars = sec.vars.map((info, i): SecInfo => {
    named(btf, sec, info.type, byName);
    const place = { offset: i * KSYM_SIZE, size: KSYM_SIZE };
    const type = btf.type(info.type);
    if (type.kind !== 'func') {
      patch.setVarLinkage(info.type, VarLinkage.GLOBAL_ALLOCATED);
      patch.setVarType(info.type, int);
      return { type: info.type, ...place };
    }
    if (!dummy) {
      const name = patch.addString('dummy_ksym');
      dummy = { name, id: patch.addVar(name, int, VarLinkage.GLOBAL_ALLOCATED) };
    }
    // the kernel wants names for the parameters of a function that is not extern
    if (btf.kind(type.type) === 'func_proto') patch.nameParams(type.type, dummy.name);
    patch.setFuncLinkage(info.type, FuncLinkage.GLOBAL);
    return { type: dummy.id, ...place };
  });
  patch.setVars(sec.id, vars);
  patch.setDatasecSize(sec.id, vars.length * KSYM_SIZE);
}

function intOf4(btf: Btf): number | undefined {
  for (let id = 1; id < btf.length; id++) {
    if (btf.kind(id) !== 'int') continue;
    const type = btf.type(id);
    if (type.kind === 'int' && type.bits === 32) return id;
  }
  return undefined;
}
