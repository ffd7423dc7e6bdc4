/**
 * ObjectSpec: a BPF object file as plain, deterministic data: the same bytes give the same spec on every machine.
 * The way through the house: bytes -(object.ts)-> ObjectSpec -(core.ts)-> relocated ObjectSpec -(loader)-> kernel objects.
 * Only types here; object.ts makes the values.
 */
import type { Btf } from './btf.js';

/** Everything one ELF file holds. Owns nothing in the kernel; views into the file's bytes may be shared. */
export interface ObjectSpec {
  /** for messages and for the prefix of global-data maps, as libbpf makes it from the file name */
  readonly name: string;
  /** from the `license` section; '' where there is none */
  readonly license: string;
  /** from the `version` section, LINUX_VERSION_CODE; 0 where there is none */
  readonly kernelVersion: number;
  /** the object's own types (.BTF), with DATASEC sizes and variable offsets filled in; undefined for objects without BTF */
  readonly btf: Btf | undefined;
  /** in libbpf's order: `maps` section, `.maps`, global data in section order, `.kconfig`, struct_ops maps. Names are unique */
  readonly maps: readonly MapSpec[];
  /** in file order; subprograms of .text are no entries of their own but part of the programs that call them */
  readonly programs: readonly ProgramSpec[];
  /**
   * in libbpf's order: kconfig by alignment (largest first), size and name, then kernel symbols by name. The index is what
   * libbpf adds to 2002000000 for the poisoned call of a missing weak kernel function
   */
  readonly externs: readonly ExternSpec[];
}

export interface MapSpec {
  /** name in the object: what bpf_object__find_map_by_name takes (`.rodata` for `.rodata`, `counts` for `counts`) */
  readonly name: string;
  /** what the kernel is told, at most 15 characters (`probe.rodata` for global data, as libbpf cuts it) */
  readonly kernelName: string;
  /** ELF section it was declared in */
  readonly section: string;
  /** a number of uapi.MapType */
  readonly type: number;
  /** bytes */
  readonly keySize: number;
  /** bytes */
  readonly valueSize: number;
  /** 0 means: chosen by the loader (number of CPUs for perf event arrays, page size for ring buffers…) */
  readonly maxEntries: number;
  readonly mapFlags: number;
  readonly numaNode: number;
  readonly mapExtra: bigint;
  /** ids in ObjectSpec.btf; 0 where unknown */
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
  /** LIBBPF_PIN_NONE or LIBBPF_PIN_BY_NAME */
  readonly pinning: 'none' | 'by-name';
  /** template of a map-in-map */
  readonly inner?: MapSpec;
  /** initial values of a map-in-map or prog_array: slot -> name of the map or program */
  readonly values?: readonly { readonly index: number; readonly target: string }[];
  /**
   * set for `.rodata*`, `.data*`, `.bss*`, `.kconfig`: initial contents, exactly valueSize bytes; for an arena the contents of
   * `.addr_space.1`, to which offsets of its `map_value` references count. Not the caller's to change
   */
  readonly data?: Uint8Array;
  /** what kind of global data; `.rodata*` and `.kconfig` are frozen after they are filled */
  readonly globals?: 'rodata' | 'data' | 'bss' | 'kconfig';
  /** set for struct_ops maps: the DATASEC variable's type and the program of each function pointer member */
  readonly structOps?: { readonly typeId: number; readonly data: Uint8Array; readonly functions: readonly { readonly offset: number; readonly program: string }[]; readonly link: boolean };
  /** `?` in the section name of a struct_ops map turns it off */
  readonly autocreate: boolean;
}

export interface ProgramSpec {
  /** the ELF function symbol */
  readonly name: string;
  /** ELF section name as written, with any leading `?`: `tp/sched/sched_process_exec` */
  readonly section: string;
  /** false where the section name starts with `?` */
  readonly autoload: boolean;
  /**
   * 8 bytes each, little-endian. The entry function first, then every subprogram it reaches, in the order in which libbpf
   * appends them; bpf-to-bpf calls and subprogram addresses are already resolved. `references` are still open.
   */
  readonly insns: Uint8Array;
  /** entry first; offsets ascending; typeId 0 where the object has no BTF.ext */
  readonly functions: readonly FunctionInfo[];
  /** offsets ascending */
  readonly lines: readonly LineInfo[];
  /** ascending by insn */
  readonly references: readonly Reference[];
  /** ascending by insn */
  readonly coreRelocations: readonly CoreRelocation[];
}

/** One record of func_info. */
export interface FunctionInfo {
  readonly name: string;
  /** index of the first instruction in ProgramSpec.insns */
  readonly insn: number;
  /** BTF FUNC type id in ObjectSpec.btf, 0 where unknown */
  readonly typeId: number;
  /** ELF section and instruction offset there, for messages and listings */
  readonly section: string;
  readonly sectionInsn: number;
}

/** One record of line_info. */
export interface LineInfo {
  readonly insn: number;
  /** offsets in the BTF string section, as the kernel wants them back */
  readonly fileNameOff: number;
  readonly lineOff: number;
  /** line << 10 | column */
  readonly lineCol: number;
}

/** An operand that only the loader can fill, because it needs a descriptor, an address or an id. */
export type Reference =
  /** ld_imm64 of a map's descriptor (BPF_PSEUDO_MAP_FD) */
  | { readonly kind: 'map'; readonly insn: number; readonly map: string }
  /** ld_imm64 of an address inside a global-data map (BPF_PSEUDO_MAP_VALUE), also `.kconfig` variables */
  | { readonly kind: 'map_value'; readonly insn: number; readonly map: string; readonly offset: number }
  /** ld_imm64 of a kernel variable: typed -> BPF_PSEUDO_BTF_ID, untyped -> address from kallsyms */
  | { readonly kind: 'ksym'; readonly insn: number; readonly extern: string; /** ld_imm64 of a kernel function's address */ readonly func?: boolean }
  /** call of a kernel function (BPF_PSEUDO_KFUNC_CALL) */
  | { readonly kind: 'kfunc'; readonly insn: number; readonly extern: string };

/** The thirteen kinds, `enum bpf_core_relo_kind` in include/uapi/linux/bpf.h; the index is the number in BTF.ext. */
export const CORE_KINDS = [
  'field_byte_offset', 'field_byte_size', 'field_exists', 'field_signed', 'field_lshift_u64', 'field_rshift_u64',
  'type_id_local', 'type_id_target', 'type_exists', 'type_size', 'enumval_exists', 'enumval_value', 'type_matches',
] as const;
export type CoreKind = (typeof CORE_KINDS)[number];

export interface CoreRelocation {
  readonly insn: number;
  /** root type in ObjectSpec.btf */
  readonly typeId: number;
  /** `0:1:2`, indices into members and arrays; enumerator index for enum kinds; `0` for type kinds */
  readonly access: string;
  readonly kind: CoreKind;
}

export interface ExternSpec {
  readonly name: string;
  readonly kind: 'kconfig' | 'ksym' | 'kfunc';
  /** __weak: may be absent; then reads 0, is address 0, or the call is poisoned */
  readonly weak: boolean;
  /** VAR or FUNC type id in ObjectSpec.btf */
  readonly btfId: number;
  /** ksym: type of the variable, 0 for `extern const void x __ksym` (untyped) */
  readonly typeId: number;
  /** kconfig: where in the `.kconfig` map, and how it is written */
  readonly kconfig?: { readonly offset: number; readonly size: number; readonly align: number; readonly type: 'char' | 'bool' | 'int' | 'tristate' | 'char_arr'; readonly signed: boolean };
  /** kfunc/ksym: name without the `___flavour` suffix */
  readonly essentialName: string;
}
