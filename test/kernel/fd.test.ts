import { closeSync, fstatSync, openSync } from 'node:fs';
import { Fd, openFds } from '#src/kernel/fd.js';
import { assert, suite } from '../support/suite.js';

const made = () => new Fd(openSync('/dev/null', 'r'), 'map "counts"');

suite('kernel/fd', (test) => {
  test('Fd closes its descriptor once, and is counted while open', () => {
    const before = openFds();
    const fd = made();
    const number = fd.value;
    assert.is(openFds(), before + 1);
    assert.is(fd.closed, false);
    fd.close();
    assert.is(openFds(), before);
    assert.is(fd.closed, true);
    assert.throws(() => fstatSync(number), /EBADF/);
    // the number may belong to somebody else by now
    const other = openSync('/dev/null', 'r');
    fd.close();
    fstatSync(other);
    closeSync(other);
    assert.is(openFds(), before);
  });
  test('Fd.value throws after close', () => {
    const fd = made();
    fd[Symbol.dispose]();
    assert.throws(() => fd.value, (error: Error) => error.message === 'bug: map "counts" is used after close');
  });
  test('Fd.release gives the descriptor away', () => {
    const before = openFds();
    const fd = made();
    const number = fd.release();
    assert.is(openFds(), before);
    fd.close();
    fstatSync(number);
    closeSync(number);
  });
  test('Fd refuses a negative number', () => {
    assert.throws(() => new Fd(-1, 'map'), (error: Error) => error.message === 'bug: map has the descriptor -1');
  });
});
