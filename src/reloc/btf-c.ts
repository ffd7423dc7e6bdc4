/**
 * BTF types as C text, for messages, listings and `inspect`: names of types, and one declaration with its members.
 * Does not order or complete declarations into a header that compiles (that is bpftool's `btf dump format c`).
 */
import type { Btf, BtfMember, BtfType } from './btf.js';

/** Types within types that are spelled out; what lies deeper, or goes in circles, is `…`. */
const MAX_DEPTH = 32;
/** Characters of names in one text, about; after them all is `…`. The kernel's longest declaration has a hundredth. */
const MAX_TEXT = 2_000_000;

/** What a text is made from, and how much more it may take. */
interface Writer { readonly btf: Btf; left: number }

type Composite = BtfType & { readonly kind: 'struct' | 'union' };

/**
 * The type as a C cast would name it: `struct task_struct *`, `const char [16]`, `int (*)(void *)`.
 * @throws BtfError where a type id leads nowhere
 */
export function typeName(btf: Btf, id: number): string {
  return declare({ btf, left: MAX_TEXT }, id, '', 0);
}

/** What a message calls a type by: kind and name, without what it is made of: `struct sock`, `typedef u64`, `anonymous union [12]`. */
export function typeLabel(btf: Btf, id: number): string {
  if (id === 0) return 'void';
  const name = btf.name(id);
  const kind = btf.kind(id).replace('enum64', 'enum');
  return name === '' ? `anonymous ${kind} [${id}]` : `${kind} ${name}`;
}

/**
 * One declaration, several lines for a type with members; each member's line ends with its offset in bytes (`12`, or
 * `12.3` where it begins at bit 3).
 * @throws BtfError where a type id leads nowhere
 */
export function declaration(btf: Btf, id: number): string {
  const writer = { btf, left: MAX_TEXT };
  const type = btf.type(id);
  switch (type.kind) {
    case 'struct': case 'union':
      return `${composite(writer, type, 0, 0, 0)};`;
    case 'enum': case 'enum64': {
      const values = lines(writer, type.values, ({ name, value }) => `\t${name} = ${value},\n`);
      return `enum${type.name && ` ${type.name}`}${type.size === 4 ? '' : ` : ${type.size * 8} bits`} {\n${values}};`;
    }
    case 'fwd':
      return `${type.union ? 'union' : 'struct'} ${type.name};`;
    case 'typedef':
      return `typedef ${declare(writer, type.type, type.name, 0)};`;
    case 'func':
      return `${['static ', '', 'extern '][type.linkage] ?? ''}${declare(writer, type.type, type.name, 0)};`;
    case 'var':
      return `${['static ', '', 'extern '][type.linkage] ?? ''}${declare(writer, type.type, type.name, 0)};`;
    case 'datasec': {
      const vars = lines(writer, type.vars, (v) => `\t${declare(writer, v.type, '', 0)}; /* ${v.offset} */\n`);
      return `section ${type.name} {\n${vars}}; /* ${type.size} bytes */`;
    }
    case 'decl_tag':
      return `/* tag "${type.name}"${type.componentIdx < 0 ? '' : ` of component ${type.componentIdx}`} of ${typeLabel(btf, type.type)} */`;
    default:
      return `${declare(writer, id, '', 0)};`;
  }
}

/** C's declarations read from the inside out: `inner` is what has been said so far of the declared thing. */
function declare(writer: Writer, id: number, inner: string, depth: number): string {
  const { btf } = writer;
  if (depth > MAX_DEPTH || writer.left <= 0) return join('…', inner);
  if (id === 0) return join('void', inner);
  const type = btf.type(id);
  writer.left -= type.name.length + 8;
  switch (type.kind) {
    case 'int': case 'typedef': case 'float':
      return join(type.name, inner);
    case 'struct': case 'union': case 'enum': case 'enum64':
      return join(`${type.kind === 'enum64' ? 'enum' : type.kind} ${type.name || '{…}'}`, inner);
    case 'fwd':
      return join(`${type.union ? 'union' : 'struct'} ${type.name}`, inner);
    case 'ptr': {
      const target = btf.kind(type.type);
      return declare(writer, type.type, target === 'array' || target === 'func_proto' ? `(*${inner})` : `*${inner}`, depth + 1);
    }
    case 'const': case 'volatile': case 'restrict': {
      // a qualified pointer has its word behind the star, all else before the type
      if (btf.kind(type.type) === 'ptr') return declare(writer, type.type, join(type.kind, inner), depth + 1);
      return `${type.kind} ${declare(writer, type.type, inner, depth + 1)}`;
    }
    case 'type_tag':
      return declare(writer, type.type, join(`__${type.name}`, inner), depth + 1);
    case 'array':
      return declare(writer, type.type, `${inner}[${type.nelems || ''}]`, depth + 1);
    case 'func_proto': {
      // a parameter of type 0 without a name stands for the ellipsis
      const params = upTo(writer, type.params, (p) => p.type === 0 && p.name === '' ? '...' : declare(writer, p.type, p.name, depth + 1));
      return declare(writer, type.type, `${inner}(${params.join(', ') || 'void'})`, depth + 1);
    }
    case 'func': case 'var':
      return declare(writer, type.type, type.name, depth + 1);
    case 'datasec':
      return `section ${type.name}`;
    case 'decl_tag':
      return `tag "${type.name}"`;
    case 'unkn':
      return join('void', inner);
  }
}

function join(type: string, inner: string): string {
  return inner === '' ? type : `${type} ${inner}`;
}

function composite(writer: Writer, type: Composite, indent: number, base: number, depth: number): string {
  const tabs = '\t'.repeat(indent);
  const members = lines(writer, type.members, (m) => member(writer, m, indent + 1, base, depth));
  return `${type.kind}${type.name && ` ${type.name}`} {\n${members}${tabs}}${indent === 0 ? ` /* ${type.size} bytes */` : ''}`;
}

function member(writer: Writer, m: BtfMember, indent: number, base: number, depth: number): string {
  const tabs = '\t'.repeat(indent);
  const bits = base + m.bitOffset;
  const at = `/* ${Math.floor(bits / 8)}${bits % 8 === 0 ? '' : `.${bits % 8}`} */`;
  const type = m.type === 0 ? undefined : writer.btf.type(m.type);
  if ((type?.kind === 'struct' || type?.kind === 'union') && type.name === '' && depth < MAX_DEPTH) {
    return `${tabs}${composite(writer, type, indent, bits, depth + 1)}${m.name && ` ${m.name}`}; ${at}\n`;
  }
  return `${tabs}${declare(writer, m.type, m.name, 0)}${m.bitSize === 0 ? '' : ` : ${m.bitSize}`}; ${at}\n`;
}

/** One line each, as far as the text may go. */
function lines<T extends object>(writer: Writer, list: readonly T[], line: (each: T) => string): string {
  const shown = upTo(writer, list, line);
  return shown.join('') + (shown.length < list.length ? '\t…\n' : '');
}

function upTo<T extends object>(writer: Writer, list: readonly T[], text: (each: T) => string): string[] {
  const shown: string[] = [];
  for (const each of list) {
    if (writer.left <= 0) break;
    writer.left -= 'name' in each && typeof each.name === 'string' ? each.name.length + 8 : 8;
    shown.push(text(each));
  }
  return shown;
}
