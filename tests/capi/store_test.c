/* Storage of the caller: what lies beside an image, and stores that fail, call by call. Prints what
 * fails; exit 1. With an argument: every call of a long scenario fails once, and from then on. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stddef.h>

#include "capi_checks.h"
#include "memory_store.h"

static memory_store memory;
static vdisk_open_options in_memory;

static void begin(void) {
  memset(&memory, 0, sizeof memory);
  in_memory = (vdisk_open_options)VDISK_OPEN_OPTIONS_INIT;
  in_memory.store = memory_store_interface(&memory);
  in_memory.parents = VDISK_PARENTS_BESIDE;
}

/* `job`: where the call puts it, which is evaluated before or after this argument. */
static vdisk_status ended(vdisk_status started, vdisk_job** job, vdisk_output* output) {
  vdisk_status status = started;
  if (started == VDISK_SUCCESS) status = vdisk_job_wait(*job, NULL);
  if (status == VDISK_SUCCESS && output != NULL) {
    output->struct_size = sizeof *output;
    CHECK(vdisk_job_output(*job, output) == VDISK_SUCCESS);
  }
  if (started == VDISK_SUCCESS) vdisk_job_free(*job);
  return status;
}

static vdisk_status merge(const char* child, uint32_t force, const vdisk_open_options* open) {
  vdisk_merge_options options = VDISK_MERGE_OPTIONS_INIT;
  vdisk_job* job = NULL;
  options.force_siblings = force;
  return ended(vdisk_merge(child, &options, open, &job, NULL), &job, NULL);
}

static vdisk_status expand(const char* path, const vdisk_open_options* open) {
  vdisk_job* job = NULL;
  return ended(vdisk_expand(path, 16 * mib, open, &job, NULL), &job, NULL);
}

static vdisk_status tree(uint32_t flags, const vdisk_open_options* open, uint64_t* images) {
  vdisk_job* job = NULL;
  vdisk_output output = {0};
  const vdisk_status status = ended(vdisk_tree("/v", flags, open, &job, NULL), &job, &output);
  *images = output.value.tree.images;
  return status;
}

static vdisk_status opens(const char* path) {
  vdisk_disk* disk = NULL;
  const vdisk_status status = vdisk_disk_open(path, &in_memory, &disk, NULL);
  vdisk_disk_free(disk);
  return status;
}

static void make_siblings(void) {
  create("/v/base.vhdx", 8 * mib, NULL, &in_memory);
  create("/v/one.vhdx", 0, "/v/base.vhdx", &in_memory);
  create("/v/two.vhdx", 0, "/v/base.vhdx", &in_memory);
  create("/v/below/alone.vhdx", mib, NULL, &in_memory);
  {
    vdisk_disk* disk = open_disk("/v/one.vhdx", VDISK_READ_WRITE, in_memory.store);
    write_filled(disk, 0, mib, 0x11);
    OK(vdisk_disk_close(disk, &error));
  }
}

static void siblings_are_found(void) {
  uint64_t images = 0;
  begin();
  make_siblings();
  CHECK(merge("/v/one.vhdx", 0, &in_memory) == VDISK_HAS_CHILDREN);
  CHECK(expand("/v/base.vhdx", &in_memory) == VDISK_HAS_CHILDREN);
  CHECK(tree(0, &in_memory, &images) == VDISK_SUCCESS && images == 4);
  CHECK(tree(VDISK_TREE_FLAT, &in_memory, &images) == VDISK_SUCCESS && images == 3);
  CHECK(opens("/v/two.vhdx") == VDISK_SUCCESS);
  CHECK(merge("/v/one.vhdx", 1, &in_memory) == VDISK_SUCCESS);
  CHECK(opens("/v/two.vhdx") == VDISK_PARENT_MISMATCH);
  memory_store_free(&memory);
}

static void without_a_list_it_is_said(void) {
  vdisk_store older;
  vdisk_open_options open;
  vdisk_output output = {0};
  vdisk_job* job = NULL;
  uint64_t images = 0;
  begin();
  make_siblings();
  older = *in_memory.store;
  older.struct_size = offsetof(vdisk_store, list);
  open = in_memory;
  open.store = &older;
  CHECK(merge("/v/one.vhdx", 0, &open) == VDISK_UNSUPPORTED);
  CHECK(expand("/v/base.vhdx", &open) == VDISK_UNSUPPORTED);
  CHECK(ended(vdisk_shrink("/v/base.vhdx", mib, 0, &open, &job, NULL), &job, NULL) ==
        VDISK_UNSUPPORTED);
  CHECK(ended(vdisk_relink("/v", 0, &open, &job, NULL), &job, NULL) == VDISK_UNSUPPORTED);
  CHECK(tree(0, &open, &images) == VDISK_UNSUPPORTED);
  CHECK(opens("/v/two.vhdx") == VDISK_SUCCESS);
  CHECK(ended(vdisk_compare("/v/one.vhdx", "/v/two.vhdx", &open, &job, NULL), &job, &output) ==
        VDISK_SUCCESS);
  CHECK(!output.value.comparison.identical);
  older.struct_size = sizeof older;
  older.list = NULL;
  CHECK(merge("/v/one.vhdx", 0, &open) == VDISK_UNSUPPORTED);
  CHECK(merge("/v/one.vhdx", 1, &open) == VDISK_SUCCESS);
  memory_store_free(&memory);
}

static int list_nothing(void* context, const char* directory,
                        void (*add)(void* names, const char* name, int is_directory), void* names) {
  (void)context, (void)directory, (void)add, (void)names;
  return 0;
}

static int list_paths(void* context, const char* directory,
                      void (*add)(void* names, const char* name, int is_directory), void* names) {
  (void)context;
  add(names, directory, 0);
  return 0;
}

static int list_fails(void* context, const char* directory,
                      void (*add)(void* names, const char* name, int is_directory), void* names) {
  (void)context, (void)directory, (void)add, (void)names;
  return EIO;
}

static void lists_are_believed_but_checked(void) {
  vdisk_store other;
  vdisk_open_options open;
  begin();
  create("/v/base.vhdx", 8 * mib, NULL, &in_memory);
  other = *in_memory.store;
  open = in_memory;
  open.store = &other;
  other.list = list_paths;
  CHECK(expand("/v/base.vhdx", &open) == VDISK_INVALID_DATA);
  other.list = list_fails;
  CHECK(expand("/v/base.vhdx", &open) == VDISK_IO);
  other.list = list_nothing;
  CHECK(expand("/v/base.vhdx", &open) == VDISK_SUCCESS);
  memory_store_free(&memory);
}

/* ---- Stores that fail ---------------------------------------------------------------------- */

static const vdisk_store* sound;
static struct {
  int at, error, lasting; /* the call that fails, with what, and all after it too */
  int calls, opened, closed, failed_steps;
} faults;
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

static int fault(void) {
  int call;
  pthread_mutex_lock(&counting);
  call = faults.calls++;
  pthread_mutex_unlock(&counting);
  return call == faults.at || (faults.lasting && call > faults.at) ? faults.error : 0;
}

static int count_opened(int result) {
  pthread_mutex_lock(&counting);
  if (result == 0) ++faults.opened;
  pthread_mutex_unlock(&counting);
  return result;
}

static int read_or_fail(void* file, uint64_t offset, void* data, size_t length) {
  const int error = fault();
  return error != 0 ? error : sound->file->read(file, offset, data, length);
}
static int write_or_fail(void* file, uint64_t offset, const void* data, size_t length) {
  const int error = fault();
  return error != 0 ? error : sound->file->write(file, offset, data, length);
}
static int size_or_fail(void* file, uint64_t* size) {
  const int error = fault();
  return error != 0 ? error : sound->file->size(file, size);
}
static int resize_or_fail(void* file, uint64_t size) {
  const int error = fault();
  return error != 0 ? error : sound->file->resize(file, size);
}
static int flush_or_fail(void* file) {
  const int error = fault();
  return error != 0 ? error : sound->file->flush(file);
}
static void count_closed(void* file) {
  pthread_mutex_lock(&counting);
  ++faults.closed;
  pthread_mutex_unlock(&counting);
  sound->file->close(file);
}
static int open_or_fail(void* context, const char* name, int writable, void** file, uint64_t* id) {
  const int error = fault();
  return error != 0 ? error : count_opened(sound->open(context, name, writable, file, id));
}
static int create_or_fail(void* context, const char* name, void** file, uint64_t* id) {
  const int error = fault();
  return error != 0 ? error : count_opened(sound->create(context, name, file, id));
}
static int publish_or_fail(void* context, void* file, const char* name, int replace) {
  const int error = fault();
  return error != 0 ? error : sound->publish(context, file, name, replace);
}
static int remove_or_fail(void* context, const char* name) {
  const int error = fault();
  return error != 0 ? error : sound->remove(context, name);
}
static int list_or_fail(void* context, const char* directory,
                        void (*add)(void* names, const char* name, int is_directory), void* names) {
  const int error = fault();
  return error != 0 ? error : sound->list(context, directory, add, names);
}

static vdisk_file_calls failing_calls = {.struct_size = sizeof failing_calls,
                                         .read = read_or_fail,
                                         .write = write_or_fail,
                                         .size = size_or_fail,
                                         .resize = resize_or_fail,
                                         .flush = flush_or_fail,
                                         .close = count_closed};
static vdisk_store failing = {.struct_size = sizeof failing,
                              .context = &memory,
                              .file = &failing_calls,
                              .open = open_or_fail,
                              .create = create_or_fail,
                              .publish = publish_or_fail,
                              .remove = remove_or_fail,
                              .list = list_or_fail};

/* A failure has a status, a text, and is never taken for a fault of the library itself. */
static int step(const char* what, vdisk_status status, vdisk_error* error) {
  const int fine =
      status == VDISK_SUCCESS
          ? error == NULL
          : status != VDISK_INTERNAL && vdisk_error_status(error) == status &&
                vdisk_error_message(error)[0] != '\0' &&
                (faults.failed_steps > 0 || vdisk_error_os_error(error) == faults.error);
  if (!fine) {
    ++failures;
    printf("call %d, errno %d, %s: %s (%d) %s\n", faults.at, faults.error, what,
           vdisk_status_name(status), vdisk_error_os_error(error), vdisk_error_message(error));
  }
  if (status != VDISK_SUCCESS) ++faults.failed_steps;
  vdisk_error_free(error);
  return status == VDISK_SUCCESS;
}

#define STEP(call)                      \
  do {                                  \
    vdisk_error* error = NULL;          \
    const vdisk_status status = (call); \
    (void)step(#call, status, error);   \
  } while (0)
#define JOB(call)                           \
  do {                                      \
    vdisk_error* error = NULL;              \
    vdisk_job* job = NULL;                  \
    vdisk_status status = (call);           \
    if (step(#call, status, error)) {       \
      error = NULL;                         \
      status = vdisk_job_wait(job, &error); \
      (void)step(#call, status, error);     \
      vdisk_job_free(job);                  \
    }                                       \
  } while (0)

static void use_disk(const char* path, vdisk_open_options open) {
  static const unsigned char data[64 * 1024] = {0x55};
  vdisk_disk* disk = NULL;
  vdisk_extent place;
  open.access = VDISK_READ_WRITE;
  STEP(vdisk_disk_open(path, &open, &disk, &error));
  if (disk == NULL) return;
  STEP(vdisk_disk_write(disk, 0, data, sizeof data, &error));
  STEP(vdisk_disk_write(disk, 2 * mib, data, sizeof data, &error));
  STEP(vdisk_disk_reserve(disk, 3 * mib, sector, &place, &error));
  STEP(vdisk_disk_discard(disk, 0, mib, &error));
  STEP(vdisk_disk_flush(disk, &error));
  STEP(vdisk_disk_zero(disk, 2 * mib, mib, &error));
  STEP(vdisk_disk_map(disk, 0, mib, &place, &error));
  STEP(vdisk_disk_close(disk, &error));
}

static void use_everything(const char* base, const char* child, const char* copy) {
  vdisk_open_options open = in_memory;
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_merge_options merged = VDISK_MERGE_OPTIONS_INIT;
  open.store = &failing;
  target.path = base;
  JOB(vdisk_create(&target, 4 * mib, NULL, NULL, &open, &job, &error));
  if (opens(base) != VDISK_SUCCESS) return;
  target.path = child;
  JOB(vdisk_create(&target, 0, NULL, base, &open, &job, &error));
  if (opens(child) != VDISK_SUCCESS) return;
  use_disk(child, open);
  target.path = copy;
  target.replace = 1;
  merged.delete_children = 1;
  JOB(vdisk_convert(child, &target, &open, &job, &error));
  JOB(vdisk_compare(child, base, &open, &job, &error));
  JOB(vdisk_hash(child, 0, &open, &job, &error));
  JOB(vdisk_check(child, 1, &open, &job, &error));
  JOB(vdisk_tree("/v", 0, &open, &job, &error));
  JOB(vdisk_merge(child, &merged, &open, &job, &error));
  JOB(vdisk_expand(base, 8 * mib, &open, &job, &error));
  JOB(vdisk_compact(base, VDISK_COMPACT_IN_PLACE, 0, &open, &job, &error));
  JOB(vdisk_repair(base, 1, "/v/undo", &open, &job, &error));
}

/* Every `stride`-th call fails, with one number after the other. */
static void fail_each_call(int is_vhd, int lasting, int stride) {
  static const int errors[] = {EIO, ENOSPC, ENODATA, EACCES, -5, 99999};
  const int count = sizeof errors / sizeof *errors;
  for (int round = 0;; ++round) {
    begin();
    sound = in_memory.store;
    memset(&faults, 0, sizeof faults);
    faults.at = round * stride;
    faults.error = errors[round % count];
    faults.lasting = lasting;
    if (is_vhd) {
      use_everything("/v/base.vhd", "/v/child.vhd", "/v/copy.vhdx");
    } else {
      use_everything("/v/base.vhdx", "/v/child.vhdx", "/v/copy.vhd");
    }
    CHECK(faults.opened == faults.closed);
    memory_store_free(&memory);
    if (faults.calls <= faults.at) {
      CHECK(faults.failed_steps == 0);
      CHECK(faults.calls > 500);
      return;
    }
  }
}

/* A read that fails is no damage: whichever it is, with whatever number. */
static void repairs_tell_of_the_storage(void) {
  static const int errors[] = {EIO, ENOSPC, ENODATA, EACCES, ENOENT, EBUSY};
  begin();
  sound = in_memory.store;
  create("/v/base.vhdx", 4 * mib, NULL, &in_memory);
  for (size_t index = 0; index < sizeof errors / sizeof *errors; ++index) {
    memset(&faults, 0, sizeof faults);
    faults.error = errors[index];
    for (faults.at = 1; faults.at <= faults.calls || faults.at == 1; ++faults.at) {
      vdisk_open_options open = in_memory;
      open.store = &failing;
      faults.calls = faults.failed_steps = 0;
      JOB(vdisk_repair("/v/base.vhdx", 0, NULL, &open, &job, &error));
    }
    CHECK(faults.at > 20);
  }
  memory_store_free(&memory);
}

static void stores_fail(int stride) {
  mallopt(M_MMAP_THRESHOLD, 64 * mib); /* the images go back to the heap, not to the system */
  mallopt(M_TRIM_THRESHOLD, 1024 * mib);
  for (int is_vhd = 0; is_vhd < 2; ++is_vhd) {
    for (int lasting = 0; lasting < 2; ++lasting) fail_each_call(is_vhd, lasting, stride);
  }
}

int main(int count, char** arguments) {
  if (count > 1) {
    stores_fail(atoi(arguments[1]));
  } else {
    siblings_are_found();
    without_a_list_it_is_said();
    lists_are_believed_but_checked();
    repairs_tell_of_the_storage();
  }
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
