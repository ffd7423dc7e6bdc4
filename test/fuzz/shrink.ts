/**
 * Cuts a module down while a difference stays: parts are taken out or made zeros, the largest first. Makes any module, valid or not;
 * `stays` says which will do.
 */
import { op, zero } from './body.js';
import type { FuncTree, If, Letter, ModuleTree, Node } from './tree.js';

/** candidates that are tried at most */
const PATIENCE = 3000;
const SECONDS = 20;

/** @param stays whether the difference is still there */
export async function shrink(tree: ModuleTree, stays: (candidate: ModuleTree) => Promise<boolean>): Promise<ModuleTree> {
  let best = tree;
  let tries = 0;
  const until = performance.now() + 1000 * SECONDS;
  const attempt = async (candidate: ModuleTree): Promise<boolean> => {
    if (tries++ >= PATIENCE || performance.now() > until || !await stays(candidate)) return false;
    best = candidate;
    return true;
  };
  // whole functions, then what is in them
  for (let i = 0; i < best.funcs.length; i++) await attempt(withFunc(best, i, hollow(best.funcs[i])));
  for (let i = 0; i < best.funcs.length; i++) await attempt(withFunc(best, i, { ...best.funcs[i], exported: false }));
  await attempt({ ...best, start: undefined });
  await attempt({ ...best, datas: best.datas.map(({ at }) => ({ at, bytes: [] })) });
  await attempt({ ...best, elems: best.elems.map((elem) => ({ ...elem, funcs: [] })) });
  for (let before = Infinity; tries < PATIENCE;) {
    const now = size(best);
    if (now >= before) break;
    before = now;
    for (let i = 0; i < best.funcs.length; i++) {
      // each position in turn; where a cut succeeds the same position holds something new
      for (let at = 0; at < places(best.funcs[i].body) && tries < PATIENCE;) {
        let cut = false;
        for (const body of cuts(best.funcs[i].body, at)) {
          cut = await attempt(withFunc(best, i, { ...best.funcs[i], body }));
          if (cut) break;
        }
        if (!cut) at++;
      }
    }
  }
  return best;
}

function withFunc(tree: ModuleTree, index: number, func: FuncTree): ModuleTree {
  return { ...tree, funcs: tree.funcs.map((one, i) => i === index ? func : one) };
}

function hollow(func: FuncTree): FuncTree {
  return { ...func, locals: '', body: [...func.type.split(':')[1]].map((type) => zero(type as Letter)) };
}

function size(tree: ModuleTree): number {
  return tree.funcs.reduce((sum, { body, exported }) => sum + places(body) + Number(exported), 0);
}

function lists(node: Node): readonly (readonly Node[])[] {
  if (node.kind === 'try') return [node.kids, node.body, ...node.catches.map(({ body }) => body)];
  return node.kind === 'block' || node.kind === 'loop' || node.kind === 'try_table' ? [node.kids, node.body] : node.kind === 'if' ? [node.kids, node.body, ...node.orElse ? [node.orElse] : []] : [node.kids];
}

/** How many nodes there are, which number the places for cuts. */
function places(nodes: readonly Node[]): number {
  return nodes.reduce((sum, node) => sum + 1 + lists(node).reduce((inner, list) => inner + places(list), 0), 0);
}

/** The list with the node at `at` replaced, counting inwards from the outside. */
function cuts(nodes: readonly Node[], at: number): (readonly Node[])[] {
  let before = 0;
  for (const [i, node] of nodes.entries()) {
    const put = (...instead: readonly Node[]) => [...nodes.slice(0, i), ...instead, ...nodes.slice(i + 1)];
    if (at === before) return replacements(node).map((instead) => put(...instead));
    before++;
    const parts = lists(node);
    // a loop that does not end shows nothing
    if (node.kept) {
      before += parts.reduce((sum, list) => sum + places(list), 0);
      continue;
    }
    for (const [part, list] of parts.entries()) {
      const inside = places(list);
      if (at < before + inside) return cuts(list, at - before).map((changed) => put(rebuilt(node, parts.map((other, j) => j === part ? changed : other))));
      before += inside;
    }
  }
  return [];
}

function rebuilt(node: Node, parts: readonly (readonly Node[])[]): Node {
  const [kids, body, orElse] = parts;
  if (node.kind === 'if') return { ...node, kids, body, orElse } satisfies If;
  if (node.kind === 'try') return { ...node, kids, body, catches: node.catches.map(({ tag }, i) => ({ tag, body: parts[2 + i] })) };
  return node.kind === 'block' || node.kind === 'loop' || node.kind === 'try_table' ? { ...node, kids, body } : { ...node, kids };
}

/** What may stand for a node: nothing, zeros, one of its operands, what is inside of it. */
function replacements(node: Node): (readonly Node[])[] {
  if (node.kept) return [];
  const out: (readonly Node[])[] = [];
  const isZero = node.kind === 'op' && node.kids.length === 0 && /const|ref\.null|^local\.get$/.test(node.op);
  if (node.gives === '' || node.gives === '?') out.push([]);
  else if (!isZero) out.push([...node.gives].map((type) => zero(type as Letter)));
  if (!isZero) for (const kid of node.kids) if (kid.gives === node.gives || kid.gives.length === node.gives.length) out.push([kid]);
  if (node.kind === 'block' || node.kind === 'loop' || node.kind === 'try' || node.kind === 'try_table') out.push([...node.kids, ...node.kind === 'loop' ? node.body.filter(({ kept }) => !kept) : node.body]);
  if (node.kind === 'try') for (const [i] of node.catches.entries()) out.push([{ ...node, catches: node.catches.filter((_, j) => j !== i) }]);
  if (node.kind === 'try_table') for (const [i] of node.catches.entries()) out.push([{ ...node, catches: node.catches.filter((_, j) => j !== i) }]);
  if (node.kind === 'if') {
    const drop = op('drop', [node.kids[node.kids.length - 1]], '');
    out.push([...node.kids.slice(0, -1), ...node.body], [...node.kids.slice(0, -1), drop, ...node.body]);
    if (node.orElse) out.push([...node.kids.slice(0, -1), ...node.orElse], [...node.kids.slice(0, -1), drop, ...node.orElse]);
  }
  if (node.kind === 'op' && node.kids.length > 0 && node.gives === '') out.push(node.kids.flatMap((kid) => kid.gives === '' || kid.gives === '?' ? [kid] : [kid, ...[...kid.gives].map(() => op('drop', [], ''))]));
  return out;
}
