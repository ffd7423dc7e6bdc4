/*
 * The tags (the kernel's hashes over the instructions) of what libbpf can load of an object, as JSON:
 * {"whole":true,"programs":{"NAME":"0123456789abcdef",…}}. Where the whole object cannot be loaded, each program is tried
 * alone. Maps of no size get 1024 entries, as the tools that hold such objects do.
 *
 *   load-tags FILE NAME
 *
 * Build: gcc -O1 -o load-tags load-tags.c -lbpf
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES 1024

static bool first = true;

static struct bpf_object *load(const char *file, const char *name, const char *only)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	struct bpf_object *object = bpf_object__open_file(file, &opts);
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!object)
		return NULL;
	bpf_object__for_each_map(map, object)
		if (bpf_map__max_entries(map) == 0 && (bpf_map__type(map) == BPF_MAP_TYPE_HASH || bpf_map__type(map) == BPF_MAP_TYPE_ARRAY))
			bpf_map__set_max_entries(map, ENTRIES);
	bpf_object__for_each_program(prog, object)
		if (only)
			bpf_program__set_autoload(prog, !strcmp(only, bpf_program__name(prog)));
	if (!bpf_object__load(object))
		return object;
	bpf_object__close(object);
	return NULL;
}

static void print_tags(struct bpf_object *object)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object) {
		struct bpf_prog_info info = {};
		__u32 length = sizeof(info);

		if (bpf_program__fd(prog) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &length))
			continue;
		printf("%s\"%s\":\"", first ? "" : ",", bpf_program__name(prog));
		for (int i = 0; i < BPF_TAG_SIZE; i++)
			printf("%02x", info.tag[i]);
		printf("\"");
		first = false;
	}
}

int main(int argc, char **argv)
{
	struct bpf_object *object, *names;
	struct bpf_program *prog;

	if (argc != 3)
		return 2;
	object = load(argv[1], argv[2], NULL);
	printf("{\"whole\":%s,\"programs\":{", object ? "true" : "false");
	if (object) {
		print_tags(object);
		bpf_object__close(object);
	} else {
		names = bpf_object__open_file(argv[1], NULL);
		if (!names)
			return 1;
		bpf_object__for_each_program(prog, names) {
			/* what most often fails the whole: no use to try dozens of them */
			if (!strncmp(bpf_program__section_name(prog), "fentry/", 7) || !strncmp(bpf_program__section_name(prog), "fexit/", 6))
				continue;
			object = load(argv[1], argv[2], bpf_program__name(prog));
			if (object)
				print_tags(object);
			bpf_object__close(object);
		}
		bpf_object__close(names);
	}
	printf("}}\n");
	return 0;
}
