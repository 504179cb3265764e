/*
 * libvdisk: VHD and VHDX virtual disk images. The C interface (C11), over the C++ one.
 *
 * Conventions
 * - Every function that can fail returns a vdisk_status; 0 is success. Where a vdisk_error ** is
 *   taken, it may be NULL; on failure it receives the error's text and place, to be freed with
 *   vdisk_error_free(). On success it is left alone.
 * - NULL where an object, or a place for the result, must be given is VDISK_INVALID_ARGUMENT.
 * - Objects are opaque. What a function gives out is freed with the function that its type names;
 *   freeing NULL does nothing. Output arguments are written on success only.
 * - Offsets, lengths and sizes are bytes. Text is UTF-8; paths are the bytes of the file system.
 * - Options, and results that may grow, are structures that begin with their size. Fill them with
 *   their _INIT macro (or zeros and the size): a field that is 0 or NULL means the default. A
 *   library that is newer than the caller takes the fields that the caller does not know as 0; an
 *   older one refuses options that it does not know unless they are 0 (VDISK_UNSUPPORTED), and sets
 *   results that it does not know to 0. Small results without a size (vdisk_extent, vdisk_progress,
 *   vdisk_range, vdisk_metadata_item) stay as they are.
 * - No exception leaves the library.
 * - What a function may wait for is said with it. "Blocks" means for storage, and for the short
 *   locks of the object; never for another caller's storage or job unless that is said. Asking
 *   for what is in memory never blocks.
 * - Threads: every function may be called from every thread; different objects may be used from
 *   different threads at once. What holds for one object is said where it is declared; nobody may
 *   be inside an object, or come into it, while it is closed or freed.
 */
#ifndef VDISK_H
#define VDISK_H

#include <stddef.h>
#include <stdint.h>

#include "vdisk_job.h"
#include "vdisk_status.h"
#include "vdisk_store.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Opening ------------------------------------------------------------------------------- */

enum { VDISK_READ_ONLY = 0, VDISK_READ_WRITE = 1 };

/** What to do about a dirty VHDX log (docs/vdisk-tool.md, --read-log). */
enum {
  VDISK_LOG_AUTOMATIC = 0,
  VDISK_LOG_REPLAY = 1,
  VDISK_LOG_MEMORY = 2,
  VDISK_LOG_REQUIRE_CLEAN = 3,
  VDISK_LOG_IGNORE = 4
};

/** Which parents may be opened: none, or those below the child's directory and the roots. */
enum { VDISK_PARENTS_NONE = 0, VDISK_PARENTS_BESIDE = 1 };

/** Replaces a leading part of a parent's path, as the image states it (with backslashes); what it
 * becomes counts as a root. */
typedef struct vdisk_path_mapping {
  const char* from;
  const char* to;
} vdisk_path_mapping;

typedef struct vdisk_open_options {
  size_t struct_size;
  uint32_t access;                      /**< VDISK_READ_ONLY or VDISK_READ_WRITE */
  uint32_t read_log;                    /**< VDISK_LOG_... */
  uint32_t parents;                     /**< VDISK_PARENTS_... */
  uint32_t no_lock;                     /**< 1: take no locks; unsafe */
  uint32_t vhd_size_by_chs;             /**< 1: the size of a VHD is that of its geometry */
  uint32_t allow_device;                /**< 1: block devices too */
  const char* format;                   /**< "vhd", "vhdx", "raw"; NULL: by content */
  const char* parent;                   /**< the leaf's parent itself; its identity is checked */
  const char* const* parent_roots;      /**< NULL-terminated, or NULL */
  uint64_t metadata_cache_bytes;        /**< for each image; 0: 8 MiB */
  const vdisk_store* store;             /**< NULL: the host's file system */
  const vdisk_path_mapping* parent_map; /**< the first that fits; ends with NULL, NULL; or NULL */
} vdisk_open_options;
#define VDISK_OPEN_OPTIONS_INIT \
  {sizeof(vdisk_open_options), 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, NULL, NULL}

/**
 * The guest's disk: an image and its chain of parents. Threads: every function but
 * vdisk_disk_close and vdisk_disk_free may be called from many threads at once.
 * Crash: what vdisk_disk_flush acknowledged survives; docs/crash-safety.md.
 */
typedef struct vdisk_disk vdisk_disk;

/** Blocks. */
vdisk_status vdisk_disk_open(const char* path, const vdisk_open_options* options, vdisk_disk** disk,
                             vdisk_error** error);
/** Flushes, marks the image clean and frees the disk, whatever it returns; but a disk that is
 * mirrored stays (VDISK_OPERATION_IN_PROGRESS). Blocks. */
vdisk_status vdisk_disk_close(vdisk_disk* disk, vdisk_error** error);
/** Frees without closing, as a crash would leave it: flushed data stay. Not while it is mirrored.
 * Blocks only on closing files. */
void vdisk_disk_free(vdisk_disk* disk);

/** These four never block. */
uint64_t vdisk_disk_size(const vdisk_disk* disk);
uint32_t vdisk_disk_logical_sector_size(const vdisk_disk* disk);
/** Number of layers, leaf included. */
size_t vdisk_disk_depth(const vdisk_disk* disk);
/** 0 when the leaf has a parent that was not to be opened. */
int vdisk_disk_complete(const vdisk_disk* disk);

enum { VDISK_FIXED = 1, VDISK_DYNAMIC = 2, VDISK_DIFFERENCING = 3 };

typedef struct vdisk_layer_info {
  size_t struct_size;
  uint32_t type;       /**< VDISK_FIXED ... */
  uint32_t block_size; /**< 0 where the format has none */
  uint32_t logical_sector_size;
  uint32_t physical_sector_size;
  uint64_t virtual_size;
  uint64_t file_size;
  uint64_t allocated_size; /**< bytes of the host that are really occupied */
  uint8_t id[16];          /**< in the order in which they are written */
  uint32_t dirty;          /**< 1: a log had to be replayed */
  uint32_t has_parent;
  char format[16];
} vdisk_layer_info;
#define VDISK_LAYER_INFO_INIT {sizeof(vdisk_layer_info), 0, 0, 0, 0, 0, 0, 0, {0}, 0, 0, {0}}
/** Layer 0 is the leaf. Blocks. */
vdisk_status vdisk_disk_layer(const vdisk_disk* disk, size_t index, vdisk_layer_info* info,
                              vdisk_error** error);
/** The path of a layer; lives as long as the disk. NULL when there is no such layer. Never blocks.
 */
const char* vdisk_disk_layer_path(const vdisk_disk* disk, size_t index);

/* ---- Reading and writing ------------------------------------------------------------------- */

/** Any range inside the disk. Blocks. */
vdisk_status vdisk_disk_read(const vdisk_disk* disk, uint64_t offset, void* data, size_t length,
                             vdisk_error** error);
/** Ranges of whole logical sectors. Block. Durable after the next successful flush. */
vdisk_status vdisk_disk_write(vdisk_disk* disk, uint64_t offset, const void* data, size_t length,
                              vdisk_error** error);
/** The range reads as zeros afterwards. Whole sectors. Blocks. */
vdisk_status vdisk_disk_zero(vdisk_disk* disk, uint64_t offset, uint64_t length,
                             vdisk_error** error);
/** The content is not needed: it reads as zeros or as before, never as a parent's. Whole sectors.
 * Blocks. */
vdisk_status vdisk_disk_discard(vdisk_disk* disk, uint64_t offset, uint64_t length,
                                vdisk_error** error);
/** What was written before is durable. After a failure every later write and flush fails with
 * VDISK_POISONED. Blocks. */
vdisk_status vdisk_disk_flush(vdisk_disk* disk, vdisk_error** error);

/* ---- The map, for callers that move the payload themselves --------------------------------- */

enum { VDISK_DATA = 0, VDISK_ZERO = 1, VDISK_ABSENT = 2 };

typedef struct vdisk_extent {
  uint64_t offset; /**< in the disk */
  uint64_t length;
  uint64_t file_offset; /**< in the layer's file; VDISK_DATA only */
  uint32_t state;       /**< VDISK_DATA ...; absent everywhere reads as zeros */
  uint32_t depth;       /**< the layer; 0 is the leaf */
} vdisk_extent;

/**
 * The longest run of one state at `offset`, at most `limit` bytes (> 0). It holds until the range
 * is written, zeroed or discarded: after that and a flush its place may be another block's. May
 * block on metadata.
 */
vdisk_status vdisk_disk_map(const vdisk_disk* disk, uint64_t offset, uint64_t limit,
                            vdisk_extent* extent, vdisk_error** error);
/**
 * Where payload may go: write it there, all of it, then vdisk_disk_commit. Nobody sees the place
 * before, and it is given to nobody else until all of it is committed, whatever is discarded and
 * flushed meanwhile; what is never committed keeps freed space from being used again until the disk
 * is closed. The extent is VDISK_DATA, whole sectors, and may be shorter than `limit`. May block.
 */
vdisk_status vdisk_disk_reserve(vdisk_disk* disk, uint64_t offset, uint64_t limit,
                                vdisk_extent* extent, vdisk_error** error);
/**
 * The payload of a reserved extent, or of a part of it, has been written: readers see it from now
 * on, except where the range was discarded in the meantime. VDISK_INVALID_ARGUMENT for what was not
 * reserved or is committed already. Blocks where the map has to be read first.
 */
vdisk_status vdisk_disk_commit(vdisk_disk* disk, const vdisk_extent* written, vdisk_error** error);
/**
 * The descriptor of a layer's file, owned by the disk: for preadv, io_uring and the like at the
 * file offsets of the map, while the disk is open. -1 where there is none: a log replayed in
 * memory, a store of the caller; then vdisk_disk_read and vdisk_disk_write serve. Never blocks.
 */
int vdisk_disk_layer_descriptor(const vdisk_disk* disk, size_t index);

/* ---- Operations ------------------------------------------------------------------------------ */

/** What a new image shall look like. */
typedef struct vdisk_target {
  size_t struct_size;
  const char* path;
  const char* format;  /**< NULL: by the extension of the path */
  uint32_t type;       /**< VDISK_FIXED ...; 0: dynamic, differencing with a parent */
  uint32_t block_size; /**< 0: the format's default, as below */
  uint32_t logical_sector_size;
  uint32_t physical_sector_size;
  const uint8_t* id; /**< 16 bytes; NULL: a random one */
  uint32_t replace;  /**< 1: an existing file may be replaced */
  uint32_t reserved; /**< 0 */
} vdisk_target;
#define VDISK_TARGET_INIT {sizeof(vdisk_target), NULL, NULL, 0, 0, 0, 0, NULL, 0, 0}

/**
 * The operations. Each starts a job; `open` says how images are found, NULL: the defaults. All
 * text and structures are copied; a store must outlive the job. Starting blocks on nothing (but on
 * memory): the job's thread waits for storage, and for its own locks. An image that is open for
 * writing elsewhere ends its job as VDISK_BUSY at once.
 */

/** An empty image of `size` bytes; a copy of `source`; a child of `parent`. At most one of both.
 * size 0: that of the source or the parent. */
vdisk_status vdisk_create(const vdisk_target* target, uint64_t size, const char* source,
                          const char* parent, const vdisk_open_options* open, vdisk_job** job,
                          vdisk_error** error);
/** Copies the guest's content, through the whole chain, into a new image. */
vdisk_status vdisk_convert(const char* source, const vdisk_target* target,
                           const vdisk_open_options* open, vdisk_job** job, vdisk_error** error);
enum { VDISK_CLONE_AUTOMATIC = 0, VDISK_CLONE_ALWAYS = 1, VDISK_CLONE_NEVER = 2 };
typedef struct vdisk_convert_options {
  size_t struct_size;
  uint64_t size;   /**< of the new disk; 0: that of the source */
  uint32_t layer;  /**< 1: only what this file stores; a parent's bytes become zeros */
  uint32_t verify; /**< 1: read it all back and compare digests before it gets its name */
  uint32_t gzip;   /**< 1 to 9: compress the new image (raw or fixed) that much; 0: do not */
  uint32_t clone;  /**< VDISK_CLONE_...: share the storage of the source where possible */
} vdisk_convert_options;
#define VDISK_CONVERT_OPTIONS_INIT {sizeof(vdisk_convert_options), 0, 0, 0, 0, 0}
/** The same with options; NULL: the defaults. */
vdisk_status vdisk_convert_with(const char* source, const vdisk_target* target,
                                const vdisk_convert_options* options,
                                const vdisk_open_options* open, vdisk_job** job,
                                vdisk_error** error);
/** Copies a disk that is used on meanwhile, and keeps the copy in step with what is done through
 * `disk`. In step the job is pending with equal values; vdisk_mirror_break and a cancel end it.
 * Free the job before the disk. Of `open` only the store is used, for the copy. */
vdisk_status vdisk_mirror_start(vdisk_disk* disk, const vdisk_target* target,
                                const vdisk_open_options* open, vdisk_job** job,
                                vdisk_error** error);
/** The copy is completed and gets its name; every change that returned before is in it.
 * VDISK_INVALID_HANDLE when the job is no mirror. Never blocks. */
vdisk_status vdisk_mirror_break(vdisk_job* job);
/** The same for an image that other processes write: it is looked at every `milliseconds` (0: 500),
 * and copied when it has changed and can be opened. VDISK_UNSUPPORTED with a store. */
vdisk_status vdisk_follow_start(const char* source, const vdisk_target* target,
                                uint64_t milliseconds, const vdisk_open_options* open,
                                vdisk_job** job, vdisk_error** error);
/** Grows the disk; what is new reads as zeros. */
vdisk_status vdisk_expand(const char* path, uint64_t size, const vdisk_open_options* open,
                          vdisk_job** job, vdisk_error** error);

enum {
  VDISK_RESIZE_FIX_GPT = 1,        /**< growing: move the backup GPT to the new end */
  VDISK_RESIZE_ALLOW_DATA_LOSS = 2 /**< shrinking: partitions and data behind it may go */
};
/** Cuts the disk; the backup of a GPT moves to the new end. size 0: the smallest that keeps all
 * partitions and their table. `flags`: 0 or VDISK_RESIZE_ALLOW_DATA_LOSS. */
vdisk_status vdisk_shrink(const char* path, uint64_t size, uint32_t flags,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error);
/** Expands or shrinks, as the size asks for. `flags`: any of the above. */
vdisk_status vdisk_resize(const char* path, uint64_t size, uint32_t flags,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error);

typedef struct vdisk_merge_options {
  size_t struct_size;
  uint32_t depth;             /**< how many layers down; 0: 1 */
  uint32_t all;               /**< 1: into the last ancestor */
  const char* base;           /**< into this ancestor; NULL: by depth */
  uint32_t delete_children;   /**< 1: remove the merged files at the end */
  uint32_t force_siblings;    /**< 1: although other images name the same parent, or nobody knows:
                                   a store without `list` */
  const vdisk_target* output; /**< into this new image, the chain stays; NULL: in place */
} vdisk_merge_options;
#define VDISK_MERGE_OPTIONS_INIT {sizeof(vdisk_merge_options), 0, 0, NULL, 0, 0, NULL}
/** Puts what a child stores into one of its ancestors; a rerun finishes one that was interrupted.
 */
vdisk_status vdisk_merge(const char* child, const vdisk_merge_options* options,
                         const vdisk_open_options* open, vdisk_job** job, vdisk_error** error);

enum { VDISK_COMPACT_IN_PLACE = 0, VDISK_COMPACT_COPY = 1, VDISK_COMPACT_ESTIMATE = 2 };
/** Gives up blocks of zeros, and the room between the others; `punch` 1: zeros inside blocks too.
 */
vdisk_status vdisk_compact(const char* path, uint32_t mode, uint32_t punch,
                           const vdisk_open_options* open, vdisk_job** job, vdisk_error** error);
/** Whether two disks read the same. */
vdisk_status vdisk_compare(const char* a, const char* b, const vdisk_open_options* open,
                           vdisk_job** job, vdisk_error** error);
typedef struct vdisk_compare_options {
  size_t struct_size;
  uint32_t strict_size; /**< 1: different sizes differ even if the rest is zeros */
  uint32_t all_ranges;  /**< 1: go on behind the first difference and list all: vdisk_job_range */
} vdisk_compare_options;
#define VDISK_COMPARE_OPTIONS_INIT {sizeof(vdisk_compare_options), 0, 0}
/** The same with options; NULL: the defaults. */
vdisk_status vdisk_compare_with(const char* a, const char* b, const vdisk_compare_options* options,
                                const vdisk_open_options* open, vdisk_job** job,
                                vdisk_error** error);
/** `sha256` 1: SHA-256, 0: the digest of `vdisk-tool hash`. */
vdisk_status vdisk_hash(const char* path, uint32_t sha256, const vdisk_open_options* open,
                        vdisk_job** job, vdisk_error** error);
/** `chain` 1: the parents too; the output adds all layers up. */
vdisk_status vdisk_check(const char* path, uint32_t chain, const vdisk_open_options* open,
                         vdisk_job** job, vdisk_error** error);
/** Puts right what can be proved. `apply` 0: a dry run, which changes nothing. `undo`: a new file
 * that keeps what is overwritten, or NULL. */
vdisk_status vdisk_repair(const char* path, uint32_t apply, const char* undo,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error);
/** Takes a repair back, finished or interrupted, with the file that it kept. `apply` 0: a dry run.
 * VDISK_WRONG_STATE when the image has changed since, VDISK_CORRUPT when the file is damaged. */
vdisk_status vdisk_undo_repair(const char* image, const char* undo, uint32_t apply,
                               const vdisk_open_options* open, vdisk_job** job,
                               vdisk_error** error);
/** Copies what can be read of a damaged image into a new one; lost ranges read as zeros there. The
 * sizes are hints for an image that does not say them any more; 0: none. */
vdisk_status vdisk_salvage(const char* source, const vdisk_target* target, uint64_t disk_size,
                           uint32_t block_size, const vdisk_open_options* open, vdisk_job** job,
                           vdisk_error** error);

/* ---- Chains -------------------------------------------------------------------------------- */

typedef struct vdisk_rebase_options {
  size_t struct_size;
  uint32_t force_identity;  /**< 1: another identity, if the child provably reads the same */
  uint32_t dry_run;         /**< 1: only look */
  const char* digest;       /**< of the child's content, where its parent is gone; or NULL */
  const char* windows_path; /**< where Windows finds the parent; or NULL */
} vdisk_rebase_options;
#define VDISK_REBASE_OPTIONS_INIT {sizeof(vdisk_rebase_options), 0, 0, NULL, NULL}
/** Gives a child another file as its parent. */
vdisk_status vdisk_rebase(const char* child, const char* parent,
                          const vdisk_rebase_options* options, const vdisk_open_options* open,
                          vdisk_job** job, vdisk_error** error);

enum {
  VDISK_TREE_FLAT = 1,   /**< the directory alone, not what is below it */
  VDISK_TREE_DRY_RUN = 2 /**< relink: only say what would be done */
};
/** Which images below a directory belong to which. `flags`: 0 or VDISK_TREE_FLAT. */
vdisk_status vdisk_tree(const char* directory, uint32_t flags, const vdisk_open_options* open,
                        vdisk_job** job, vdisk_error** error);
/** The images beside `path`, and in the roots of the parents, that name it as their parent. */
vdisk_status vdisk_children(const char* path, const vdisk_open_options* open, vdisk_job** job,
                            vdisk_error** error);
/** Links children whose parent has moved to the one file with its identity. */
vdisk_status vdisk_relink(const char* directory, uint32_t flags, const vdisk_open_options* open,
                          vdisk_job** job, vdisk_error** error);

/* ---- Changes, for incremental backup ------------------------------------------------------- */

/** What must be copied to turn `a` into `b`. `granularity`: a power of two, at least 512; 0: 64
 * KiB. */
vdisk_status vdisk_diff(const char* a, const char* b, uint64_t granularity,
                        const vdisk_open_options* open, vdisk_job** job, vdisk_error** error);

/** Digests of all blocks of a disk that are not zero. Threads: any, once it is complete; one while
 * blocks are added. None of its functions blocks. */
typedef struct vdisk_manifest vdisk_manifest;
/** Makes the manifest of a disk. `block_size`: a power of two, 4 KiB to 256 MiB; 0: 1 MiB. */
vdisk_status vdisk_make_manifest(const char* path, uint64_t block_size, uint32_t sha256,
                                 const vdisk_open_options* open, vdisk_job** job,
                                 vdisk_error** error);
/** What changed since a manifest was made, which is copied. */
vdisk_status vdisk_changes(const char* path, const vdisk_manifest* since,
                           const vdisk_open_options* open, vdisk_job** job, vdisk_error** error);
/** The manifest that a job made; the caller frees it. */
vdisk_status vdisk_job_manifest(const vdisk_job* job, vdisk_manifest** manifest,
                                vdisk_error** error);

/** One that was stored by the caller: empty, then block by block. */
vdisk_status vdisk_manifest_new(uint64_t virtual_size, uint64_t block_size, uint32_t sha256,
                                vdisk_manifest** manifest, vdisk_error** error);
/** Indices must ascend. `digest`: 16 bytes, with SHA-256 32. */
vdisk_status vdisk_manifest_add(vdisk_manifest* manifest, uint64_t index, const uint8_t* digest,
                                vdisk_error** error);
/** What it is the manifest of; NULL for what is not wanted. */
vdisk_status vdisk_manifest_shape(const vdisk_manifest* manifest, uint64_t* virtual_size,
                                  uint64_t* block_size, uint32_t* sha256);
/** Number of blocks that are not zero. */
uint64_t vdisk_manifest_count(const vdisk_manifest* manifest);
/** Block `position` of them. `digest` takes 32 bytes. VDISK_NOT_FOUND behind the last. */
vdisk_status vdisk_manifest_block(const vdisk_manifest* manifest, uint64_t position,
                                  uint64_t* index, uint8_t* digest);
void vdisk_manifest_free(vdisk_manifest* manifest);

/* ---- Metadata ------------------------------------------------------------------------------ */

typedef struct vdisk_metadata_item {
  uint8_t id[16];
  uint64_t length;
  uint64_t file_offset; /**< of the content; 0 when it is empty */
  uint32_t is_user;     /**< 1: of an application, 0: of the format */
  uint32_t is_virtual_disk;
  uint32_t is_required;
  uint32_t reserved;
} vdisk_metadata_item;

/** These four block. `count`: in, room in `items`; out, how many there are; more than there is room
 * for: VDISK_BUFFER_TOO_SMALL. VDISK_UNSUPPORTED where the format has no metadata. */
vdisk_status vdisk_metadata_list(const char* path, const vdisk_open_options* open,
                                 vdisk_metadata_item* items, uint64_t* count, vdisk_error** error);
/** `length`: in, room in `data`; out, bytes of the item. */
vdisk_status vdisk_metadata_get(const char* path, const uint8_t* id, uint32_t is_user,
                                const vdisk_open_options* open, void* data, uint64_t* length,
                                vdisk_error** error);
/** Adds or replaces a user item. `is_virtual_disk` 1: it describes the disk, and children inherit
 * it; `force` 1: although that makes existing children invalid. */
vdisk_status vdisk_metadata_set(const char* path, const uint8_t* id, const void* data,
                                uint64_t length, uint32_t is_virtual_disk, uint32_t force,
                                const vdisk_open_options* open, vdisk_error** error);
vdisk_status vdisk_metadata_remove(const char* path, const uint8_t* id, uint32_t force,
                                   const vdisk_open_options* open, vdisk_error** error);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
