import { assert, suite } from '../support/suite.js';
import { estimate, interleave, median, ratio, render } from '../../bench/harness.js';

suite('bench harness', (test) => {
  test.table([
    { values: [3], expected: 3 },
    { values: [9, 1, 5], expected: 5 },
    { values: [4, 1, 3, 2], expected: 2.5 },
  ], ({ values }) => `median of ${values.join(', ')}`, ({ values, expected }) => assert.is(median(values), expected));

  test('median refuses an empty list', () => assert.throws(() => median([]), /bug: the median of nothing/));

  test('estimate gives the median with an interval around it, the same each time', () => {
    const samples = Array.from({ length: 21 }, (_, i) => 100 + i);
    const first = estimate(samples);
    assert.is(first.value, 110);
    assert.ok(first.low >= 104 && first.low < 110 && first.high > 110 && first.high <= 116, JSON.stringify(first));
    assert.equal(estimate(samples), first);
  });

  test('estimate of equal samples has no width', () => assert.equal(estimate([7, 7, 7]), { value: 7, low: 7, high: 7 }));

  test('ratio compares medians', () => assert.equal(ratio([6, 6, 6], [2, 2, 2]), { value: 3, low: 3, high: 3 }));

  test('interleave takes turns, each round from another side, and drops the warm-up', async () => {
    const order: string[] = [];
    const side = (name: string, number: number) => () => { order.push(name); return { row: number }; };
    const rows = await interleave({ a: side('a', 1), b: side('b', 2) }, { rounds: 2, warmup: 1, unit: 'ns' });
    assert.is(order.join(''), 'abbaab');
    assert.equal(rows, [{ name: 'row', unit: 'ns', samples: { a: [1, 1], b: [2, 2] } }]);
  });

  test('render prints medians, intervals and ratios to the first side', () => {
    const text = render({
      title: 'Things', sides: ['native', 'ours'], notes: ['A note.'],
      rows: [{ name: 'thing', unit: 'ns', samples: { native: [2, 2], ours: [5, 5] } }, { name: 'other', unit: 'ms', samples: { native: [0.5], ours: [] } }],
    }, { node: 'v20' });
    assert.is(text, `# Things

- node: v20
- medians of 1 or more interleaved repetitions, 95 % bootstrap interval in brackets

|       | unit |               native |              ours |     ours / native |
| ----- | ---: | -------------------: | ----------------: | ----------------: |
| thing |   ns |    2.00 [2.00, 2.00] | 5.00 [5.00, 5.00] | 2.50 [2.50, 2.50] |
| other |   ms | 0.500 [0.500, 0.500] |                 - |                 - |

A note.
`);
  });
});
