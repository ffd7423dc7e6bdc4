/** What the host makes of the guests' words. The guests' own tests are *.lab.ts: only a kernel of the lab runs them. */
import { assert, suite } from '../support/suite.js';
import { KERNELS } from './kernels.js';
import { readResults, RESULT, table, verdict } from './result.js';

suite('lab/result', (test) => {
  test('readResults finds the lines wherever a console puts them', () => {
    const output = `boot\r\n suite  ${RESULT}tc ingress => yes\r\n${RESULT}attach: xdp => FAILS => twice\r\n• other: text\n`;
    assert.equal([...readResults(output)], [['tc ingress', 'yes'], ['attach: xdp', 'FAILS => twice']]);
  });

  test.table([
    [12, 0, [], 'passed 12'], [9, 0, ['6.9', '5.15', '6.9'], 'passed 9, skipped 3: from 5.15, 6.9'], [0, 0, ['6.12'], 'skipped 1: from 6.12'], [11, 1, ['6.9'], 'failed 1 of 12'],
  ] as const, ([, , , words]) => `verdict says "${words}"`, ([passed, failed, skipped, words]) => {
    assert.is(verdict({ passed, failed, skipped: [...skipped] }), words);
  });

  test('table has a row a family and a column a kernel', () => {
    const results = new Map([['1.0', new Map([['xdp', 'yes']])], ['2.0', new Map([['xdp', 'yes'], ['lsm', 'from 3.0']])]]);
    assert.is(table(results), '|  | 1.0 | 2.0 |\n| --- | --- | --- |\n| xdp | yes | yes |\n| lsm | not run | from 3.0 |');
  });

  test.table([
    ['5.10', ['linux-image-5.10.0-32-amd64'], ['linux-image-5.10.0-32-cloud-amd64', 'linux-image-5.10.0-32-amd64-unsigned', 'linux-image-5.10-amd64']],
    ['6.12', ['linux-image-6.12.117+deb13-amd64'], ['linux-image-6.12.117+deb13-rt-amd64', 'linux-image-6.1.0-50-amd64']],
    ['newest', ['linux-binary-7.2.13+deb14-amd64', 'linux-modules-7.3.1+deb14-amd64', 'linux-base-7.2.13+deb14-amd64'], ['linux-binary-7.2.13+deb14-cloud-amd64', 'linux-binary-unsigned-7.2.13+deb14-amd64', 'linux-base']],
    ['6.12-arm64', ['linux-image-6.12.117+deb13-arm64'], ['linux-image-6.12.117+deb13-arm64-16k', 'linux-image-6.12.117+deb13-amd64']],
  ] as const, ([name]) => `the packages of ${name} are its own, and no variants`, ([name, own, others]) => {
    const { packages } = KERNELS.find((kernel) => kernel.name === name)!;
    for (const text of own) assert.ok(packages.some((pattern) => pattern.test(text)), text);
    for (const text of others) assert.not(packages.some((pattern) => pattern.test(text)), text);
  });
});
