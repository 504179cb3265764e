/* Structures that begin with their size, of callers that were built with an older or a newer
 * header: every one of them, by a table. Prints what fails; exit 1. */
#define _GNU_SOURCE
#include <stddef.h>

#include "capi_checks.h"
#include "memory_store.h"

enum { room = 1024 };
#define AFTER(structure, field) (offsetof(structure, field) + sizeof(((structure*)0)->field))

/* A buffer that begins as a structure of `size` bytes; what lies behind must not be touched. */
typedef union buffer {
  max_align_t aligned;
  size_t struct_size;
  unsigned char bytes[room];
} buffer;

static vdisk_disk* disk;
static vdisk_job* hashed;
static vdisk_job* listed;
static vdisk_job* checked;

/* ---- Results: the library fills as much as the caller knows -------------------------------- */

static vdisk_status get_layer(buffer* given) {
  return vdisk_disk_layer(disk, 0, (vdisk_layer_info*)(void*)given, NULL);
}
static vdisk_status get_output(buffer* given) {
  return vdisk_job_output(hashed, (vdisk_output*)(void*)given);
}
static vdisk_status get_image(buffer* given) {
  return vdisk_job_image(listed, 0, (vdisk_tree_image*)(void*)given);
}

static vdisk_status get_note(buffer* given) {
  return vdisk_job_note(checked, 0, (vdisk_note*)(void*)given);
}

static const struct {
  const char* name;
  size_t size;
  size_t used; /* without the padding at the end, which says nothing */
  vdisk_status (*get)(buffer* given);
} results[] = {
    {"vdisk_layer_info", sizeof(vdisk_layer_info), AFTER(vdisk_layer_info, format), get_layer},
    {"vdisk_output", sizeof(vdisk_output), AFTER(vdisk_output, value), get_output},
    {"vdisk_tree_image", sizeof(vdisk_tree_image), AFTER(vdisk_tree_image, parent_state),
     get_image},
    {"vdisk_note", sizeof(vdisk_note), AFTER(vdisk_note, path), get_note}};

static void check_result(size_t index, size_t size, const buffer* whole) {
  const size_t known = size < results[index].size ? size : results[index].size;
  buffer given;
  memset(&given, 0xAB, sizeof given);
  given.struct_size = size;
  CHECK(results[index].get(&given) == VDISK_SUCCESS);
  CHECK(given.struct_size == size);
  CHECK(memcmp(given.bytes + sizeof(size_t), whole->bytes + sizeof(size_t),
               (size < results[index].used ? size : results[index].used) - sizeof(size_t)) == 0);
  for (size_t at = known; at < room; ++at) {
    const unsigned char expected = at < size ? 0 : 0xAB;
    if (given.bytes[at] == expected) continue;
    ++failures;
    printf("%s of %zu bytes: byte %zu is %d\n", results[index].name, size, at, given.bytes[at]);
    return;
  }
}

static void results_are_as_large_as_the_caller_knows(void) {
  for (size_t index = 0; index < sizeof results / sizeof *results; ++index) {
    buffer whole = {0};
    buffer wrong = {0};
    whole.struct_size = results[index].size;
    CHECK(results[index].get(&whole) == VDISK_SUCCESS);
    for (size_t size = sizeof(size_t); size <= results[index].size + 64; size += 4) {
      check_result(index, size, &whole);
    }
    CHECK(results[index].get(&wrong) == VDISK_INVALID_ARGUMENT);
    wrong.struct_size = sizeof(size_t) - 1;
    CHECK(results[index].get(&wrong) == VDISK_INVALID_ARGUMENT);
    wrong.struct_size = (size_t)-1;
    CHECK(results[index].get(&wrong) == VDISK_INVALID_ARGUMENT);
  }
}

/* ---- Options: what the caller does not know is 0 ------------------------------------------- */

static memory_store memory;

static vdisk_status waited(vdisk_status status, vdisk_job** job) {
  if (status == VDISK_SUCCESS) status = vdisk_job_wait(*job, NULL);
  vdisk_job_free(*job);
  *job = NULL;
  return status;
}

static vdisk_status use_open(const void* given) {
  vdisk_disk* opened = NULL;
  const vdisk_status status = vdisk_disk_open(at("base.vhdx"), given, &opened, NULL);
  vdisk_disk_free(opened);
  return status;
}
static vdisk_status use_target(const void* given) {
  vdisk_job* job = NULL;
  const vdisk_status started = vdisk_create(given, mib, NULL, NULL, NULL, &job, NULL);
  const vdisk_status status = waited(started, &job);
  unlink(at("new.vhdx"));
  return status;
}
static vdisk_status use_merge(const void* given) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_job* job = NULL;
  open.parents = VDISK_PARENTS_BESIDE;
  return waited(vdisk_merge(at("child.vhdx"), given, &open, &job, NULL), &job);
}
static vdisk_status use_convert(const void* given) {
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_job* job = NULL;
  vdisk_status status;
  target.path = at("new.vhdx");
  status = vdisk_convert_with(at("base.vhdx"), &target, given, NULL, &job, NULL);
  status = waited(status, &job);
  unlink(at("new.vhdx"));
  return status;
}
static vdisk_status use_compare(const void* given) {
  vdisk_job* job = NULL;
  return waited(vdisk_compare_with(at("base.vhdx"), at("base.vhdx"), given, NULL, &job, NULL),
                &job);
}
static vdisk_status use_rebase(const void* given) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_job* job = NULL;
  open.parents = VDISK_PARENTS_BESIDE;
  return waited(vdisk_rebase(at("child.vhdx"), at("base.vhdx"), given, &open, &job, NULL), &job);
}
static vdisk_status use_store(const void* given) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_disk* opened = NULL;
  vdisk_status status;
  open.store = given;
  status = vdisk_disk_open("/v/a.vhdx", &open, &opened, NULL);
  vdisk_disk_free(opened);
  return status;
}
static vdisk_status use_calls(const void* given) {
  vdisk_store store = *memory_store_interface(&memory);
  store.file = given;
  return use_store(&store);
}

/* `least`: up to the last field without which there is no meaning. */
static void check_options(const char* name, const void* full, size_t size, size_t least,
                          vdisk_status (*use)(const void* given)) {
  buffer given = {0};
  memcpy(&given, full, size);
  for (size_t each = least; each <= size + 64; each += 4) {
    vdisk_status status;
    given.struct_size = each;
    status = use(&given);
    if (status == VDISK_SUCCESS) continue;
    ++failures;
    printf("%s of %zu bytes: %s\n", name, each, vdisk_status_name(status));
  }
  given.struct_size = size + 8;
  given.bytes[size + 7] = 1;
  CHECK(use(&given) == VDISK_UNSUPPORTED);
  given.struct_size = 0;
  CHECK(use(&given) == VDISK_INVALID_ARGUMENT);
  given.struct_size = (size_t)-1;
  CHECK(use(&given) == VDISK_INVALID_ARGUMENT);
}

static void options_are_as_large_as_the_caller_knows(void) {
  const vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_target target = VDISK_TARGET_INIT;
  const vdisk_merge_options merge = VDISK_MERGE_OPTIONS_INIT;
  const vdisk_convert_options convert = VDISK_CONVERT_OPTIONS_INIT;
  const vdisk_compare_options compare = VDISK_COMPARE_OPTIONS_INIT;
  vdisk_rebase_options rebase = VDISK_REBASE_OPTIONS_INIT;
  char path[512];
  snprintf(path, sizeof path, "%s", at("new.vhdx")); /* at() has room for four */
  target.path = path;
  check_options("vdisk_convert_options", &convert, sizeof convert, sizeof(size_t), use_convert);
  check_options("vdisk_compare_options", &compare, sizeof compare, sizeof(size_t), use_compare);
  rebase.dry_run = 1;
  check_options("vdisk_open_options", &open, sizeof open, sizeof(size_t), use_open);
  check_options("vdisk_target", &target, sizeof target, AFTER(vdisk_target, path), use_target);
  check_options("vdisk_merge_options", &merge, sizeof merge, sizeof(size_t), use_merge);
  check_options("vdisk_rebase_options", &rebase, sizeof rebase,
                AFTER(vdisk_rebase_options, dry_run), use_rebase);
}

static void stores_are_as_large_as_the_caller_knows(void) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  const vdisk_store* store;
  open.store = store = memory_store_interface(&memory);
  create("/v/a.vhdx", mib, NULL, &open);
  check_options("vdisk_store", store, sizeof *store, AFTER(vdisk_store, open), use_store);
  /* Behind `flush` only `close` follows: handles of an older caller are not closed. */
  check_options("vdisk_file_calls", store->file, sizeof *store->file, sizeof *store->file,
                use_calls);
  memory_store_free(&memory);
}

int main(void) {
  const char* const names[] = {"base.vhdx", "child.vhdx", "cut.vhd"};
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  if (!make_folder()) return 1;
  open.parents = VDISK_PARENTS_BESIDE;
  create(at("base.vhdx"), 4 * mib, NULL, NULL);
  create(at("child.vhdx"), 0, at("base.vhdx"), &open);
  /* In memory: what a file occupies changes when the host writes it back. */
  open.store = memory_store_interface(&memory);
  create("/v/a.vhdx", mib, NULL, &open);
  disk = open_disk("/v/a.vhdx", VDISK_READ_ONLY, open.store);
  OK(vdisk_hash(at("base.vhdx"), 1, NULL, &hashed, &error));
  OK(vdisk_job_wait(hashed, &error));
  create(at("cut.vhd"), mib, NULL, NULL);
  CHECK(truncate(at("cut.vhd"), 1024) == 0);
  OK(vdisk_check(at("cut.vhd"), 0, NULL, &checked, &error));
  OK(vdisk_job_wait(checked, &error));
  OK(vdisk_tree(folder, 0, NULL, &listed, &error));
  OK(vdisk_job_wait(listed, &error));
  results_are_as_large_as_the_caller_knows();
  vdisk_disk_free(disk);
  memory_store_free(&memory);
  vdisk_job_free(checked);
  vdisk_job_free(hashed);
  vdisk_job_free(listed);
  options_are_as_large_as_the_caller_knows();
  stores_are_as_large_as_the_caller_knows();
  return remove_folder(names, sizeof names / sizeof *names);
}
