/** The declared layouts against the running kernel's own types. */
import * as attr from '#src/kernel/attr.js';
import { kernelAtLeast } from '#src/kernel/release.js';
import { vmlinuxBtf } from '#src/kernel/vmlinux.js';
import { parseBtf } from '#src/reloc/btf.js';
import { assert, suite } from '../support/suite.js';

const blob = vmlinuxBtf();
const btf = parseBtf(blob.bytes, { source: 'vmlinux' });

interface Place { readonly offset: number; readonly size: number }

/** Every member, those of anonymous structs and unions included; `a.b` for named ones within. */
function members(id: number, base = 0, prefix = ''): Map<string, Place> {
  const places = new Map<string, Place>();
  const type = btf.type(btf.skipModifiers(id));
  if (type.kind !== 'struct' && type.kind !== 'union') throw new Error(`[${id}] is a ${type.kind}`);
  for (const member of type.members) {
    const offset = base + (member.bitOffset >>> 3);
    const inner = btf.type(btf.skipModifiers(member.type));
    const composite = inner.kind === 'struct' || inner.kind === 'union';
    if (member.name && member.bitSize === 0) places.set(prefix + member.name, { offset, size: btf.sizeOf(member.type) });
    if (composite) for (const [name, place] of members(member.type, offset, member.name ? `${prefix}${member.name}.` : prefix)) if (!places.has(name)) places.set(name, place);
  }
  return places;
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Where our flat names differ from the kernel's. */
const RENAMED: Record<string, string> = {
  'map_elem.value': 'value', 'id.startId': 'start_id', 'link_create.kprobe_multi.multiFlags': 'kprobe_multi.flags',
  'link_create.uprobe_multi.multiFlags': 'uprobe_multi.flags', 'link_create.netfilter.netfilterFlags': 'netfilter.flags',
  'prog_load.attachBtfObjFd': 'attach_btf_obj_fd', 'perf_event_attr.reserved2': '__reserved_2',
};
/** Unions without a name of their own, and bit fields: not to be found as one member. */
const SKIPPED = new Set(['perf_event_attr.flags', 'bpf_prog_info.gplCompatible', 'bpf_link_info.detail']);
/** Our arm → where its members stand in union bpf_attr ('' for the anonymous structs). */
const ARM: Record<string, string> = {
  map_create: '', map_elem: '', batch: 'batch.', prog_load: '', btf_load: '', test: 'test.', prog_attach: '', query: 'query.', raw_tracepoint: 'raw_tracepoint.',
  prog_bind_map: 'prog_bind_map.', link_create: 'link_create.', 'link_create.perf_event': 'link_create.', 'link_create.kprobe_multi': 'link_create.',
  'link_create.tracing': 'link_create.', 'link_create.netfilter': 'link_create.', 'link_create.tcx': 'link_create.', 'link_create.uprobe_multi': 'link_create.',
  link_update: 'link_update.', link_detach: 'link_detach.', iter_create: 'iter_create.', obj: '', id: '', info: 'info.', enable_stats: 'enable_stats.',
  token_create: 'token_create.',
};

interface Layout { readonly name: string; readonly size: number; readonly offsets: Record<string, number>; readonly sizes: Record<string, number> }
const layouts = Object.values(attr).flatMap((value): Layout[] => ('read' in value ? [value as Layout] : Object.values(value)));

suite('kernel/attr', (test) => {
  const union = members(btf.find('bpf_attr', 'union')!);
  const row = (layout: Layout) => {
    const own = layout.name.startsWith('bpf_') || layout.name === 'perf_event_attr';
    const places = own ? members(btf.find(layout.name, 'struct')!) : union;
    return { layout, own, places };
  };
  test.table(layouts.map(row), ({ layout }) => `${layout.name} (${Object.keys(layout.offsets).length} fields, ${layout.size} bytes) stands as in vmlinux`, ({ layout, own, places }) => {
    const wrong: string[] = [];
    let met = 0;
    const arm = own ? '' : ARM[layout.name];
    if (arm === undefined) throw new Error(`no arm for ${layout.name}`);
    const detail = layout.name.split('.')[1];
    for (const [field, offset] of Object.entries(layout.offsets)) {
      const label = `${layout.name}.${field}`;
      if (SKIPPED.has(label)) continue;
      const name = RENAMED[label] ?? snake(field);
      const place = places.get(arm + name) ?? (detail ? places.get(`${arm}${detail}.${name}`) : undefined);
      if (!place) {
        // an older kernel than the header the layouts follow does not know every field
        if (kernelAtLeast('6.18')) wrong.push(`${label} is unknown to vmlinux`);
        continue;
      }
      met++;
      const size = layout.sizes[field];
      if (place.offset !== offset || place.size !== size) wrong.push(`${label} at ${offset}, ${size} bytes; vmlinux: at ${place.offset}, ${place.size} bytes`);
    }
    assert.equal(wrong, []);
    assert.ok(met > 0 || !kernelAtLeast('6.18'));
  });
});
