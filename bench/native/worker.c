/*
 * The native side of the benchmarks: libbpf on the same objects. Reads commands from standard input, one a line, and answers
 * each with one line of `name=count:nanoseconds` words, as ../../fixtures/bench.c does:
 *
 *   load FILE    opens, loads and attaches an object, the only command of its process
 *   open FILE    the same with fixtures/bench.bpf.o, without a time
 *   drain        fills the ring, then takes every event out of it
 *   close        releases the object
 *   series LIST  opens and loads the objects whose paths LIST has, one a line, and releases each; also says how many loaded, and
 *                the peak of resident memory in KiB
 *   maps FILE COUNT  COUNT element operations of each kind, on an object that is not attached: a traced bpf(2) is a slow one
 *
 * Build: gcc -O2 worker.c -lbpf (Debian's libbpf-dev).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/resource.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../../fixtures/bench.h"

static struct bpf_object *object;
static struct bpf_link *link;
static struct ring_buffer *consumer;
static int control;
static unsigned long long received, expected, disorder;

static long long now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void check(int error, const char *what)
{
	if (error >= 0)
		return;
	fprintf(stderr, "native: %s: %s\n", what, strerror(-error));
	exit(1);
}

static int take(void *ctx, void *data, size_t size)
{
	const struct event *e = data;
	(void)ctx;
	(void)size;
	disorder += e->sequence != expected;
	expected = e->sequence + 1;
	received++;
	return 0;
}

static struct bpf_object *load(const char *file)
{
	struct bpf_object *loaded = bpf_object__open_file(file, NULL);
	if (!loaded) {
		fprintf(stderr, "native: cannot open %s\n", file);
		exit(1);
	}
	check(bpf_object__load(loaded), "load");
	return loaded;
}

static struct bpf_link *attach(struct bpf_program *program)
{
	struct bpf_link *attached = bpf_program__attach(program);
	if (!attached) {
		fprintf(stderr, "native: cannot attach %s\n", bpf_program__name(program));
		exit(1);
	}
	return attached;
}

/* The links end with the process. */
static void load_and_attach(const char *file)
{
	struct bpf_program *program;
	long long before = now_ns();
	struct bpf_object *loaded = load(file);
	bpf_object__for_each_program(program, loaded)
		attach(program);
	printf("load=1:%lld\n", now_ns() - before);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static void series(const char *list)
{
	char file[4096];
	struct rusage usage;
	long long loaded = 0, before;
	FILE *files = fopen(list, "r");
	if (!files)
		check(-errno, list);
	libbpf_set_print(quiet);
	before = now_ns();
	while (fgets(file, sizeof(file), files)) {
		file[strcspn(file, "\n")] = 0;
		struct bpf_object *one = bpf_object__open_file(file, NULL);
		if (one && bpf_object__load(one) == 0)
			loaded++;
		bpf_object__close(one);
	}
	before = now_ns() - before;
	fclose(files);
	getrusage(RUSAGE_SELF, &usage);
	printf("series=1:%lld loaded=1:%lld peak=1:%ld\n", before, loaded, usage.ru_maxrss);
}

static void start(const char *file)
{
	object = load(file);
	link = attach(bpf_object__find_program_by_name(object, "fill"));
	consumer = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "ring"), take, NULL, NULL);
	if (!consumer) {
		fprintf(stderr, "native: no consumer for the ring\n");
		exit(1);
	}
	control = bpf_object__find_map_fd_by_name(object, "control");
	expected = 0;
	puts("open=1:0");
}

static void stop(void)
{
	ring_buffer__free(consumer);
	bpf_link__destroy(link);
	bpf_object__close(object);
	object = NULL;
	puts("close=1:0");
}

static unsigned long long fill(unsigned long long want)
{
	unsigned int slot = 0;
	struct control c;
	check(bpf_map_lookup_elem(control, &slot, &c), "control");
	unsigned long long before = c.produced;
	c.want = want;
	check(bpf_map_update_elem(control, &slot, &c, BPF_ANY), "control");
	do
		check(bpf_map_lookup_elem(control, &slot, &c), "control");
	while (c.want);
	return c.produced - before;
}

static void drain(void)
{
	unsigned long long count = fill(~0ull);
	received = disorder = 0;
	long long before = now_ns();
	check(ring_buffer__consume(consumer), "consume");
	long long after = now_ns();
	if (received != count || disorder) {
		fprintf(stderr, "native: %llu events for %llu, %llu out of order\n", received, count, disorder);
		exit(1);
	}
	printf("ring.drain=%llu:%lld\n", count, after - before);
}

static void operations(const char *name, int map, unsigned int count, int removable)
{
	unsigned int key, next, steps = 0;
	unsigned long long value;
	long long start = now_ns();
	for (key = 0; key < count; key++) {
		value = key;
		check(bpf_map_update_elem(map, &key, &value, BPF_ANY), "update");
	}
	long long updated = now_ns();
	for (key = 0; key < count; key++)
		check(bpf_map_lookup_elem(map, &key, &value), "lookup");
	long long looked = now_ns();
	for (int more = bpf_map_get_next_key(map, NULL, &next); more == 0 && steps < count; steps++) {
		key = next;
		more = bpf_map_get_next_key(map, &key, &next);
	}
	long long walked = now_ns();
	printf("%s.update=%u:%lld %s.lookup=%u:%lld %s.next=%u:%lld ", name, count, updated - start, name, count, looked - updated,
	       name, steps, walked - looked);
	if (!removable)
		return;
	for (key = 0; key < count; key++)
		check(bpf_map_delete_elem(map, &key), "delete");
	printf("%s.delete=%u:%lld ", name, count, now_ns() - walked);
}

static void maps(const char *file, unsigned int count)
{
	struct bpf_object *unattached = load(file);
	operations("hash", bpf_object__find_map_fd_by_name(unattached, "hash"), count, 1);
	operations("array", bpf_object__find_map_fd_by_name(unattached, "array"), count, 0);
	putchar('\n');
	bpf_object__close(unattached);
}

int main(void)
{
	char line[4200], file[4096];
	unsigned int count;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "load %4095s", file) == 1) {
			load_and_attach(file);
		} else if (sscanf(line, "series %4095s", file) == 1) {
			series(file);
		} else if (sscanf(line, "open %4095s", file) == 1 && !object) {
			start(file);
		} else if (strcmp(line, "drain\n") == 0 && object) {
			drain();
		} else if (strcmp(line, "close\n") == 0 && object) {
			stop();
		} else if (sscanf(line, "maps %4095s %u", file, &count) == 2 && count > 0 && count <= MAP_ENTRIES) {
			maps(file, count);
		} else {
			fprintf(stderr, "native: cannot do %s", line);
			return 2;
		}
	}
	return 0;
}
